//! TLS 1.3 between a server that holds a certificate and clients that were given its pin.
//!
//! The pin is the SHA-256 of the server's certificate (DER). Names, dates and issuers are not looked at: whoever
//! holds the private key of the pinned certificate is the server, and nobody else is. The client compares the pin
//! in constant time and verifies the handshake's signature with the provider's algorithms (ring, chosen here
//! and not by a process-wide default).
//!
//! The caller must get the pin to the client by a way the attacker does not control.

use super::link::{Link, Pulse, Timeouts, Transport, hung_up};
use super::tcp::{LINGER, Timed};
use super::{NetError, Shape};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, ConnectionCommon, DigitallySignedStruct};
use rustls::{
    InvalidMessage, OtherError, ServerConfig, ServerConnection, SideData, SignatureScheme, StreamOwned,
};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::ops::DerefMut;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, str::FromStr};
use subtle::ConstantTimeEq;

/// The SHA-256 of a server's certificate; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| PinError)?;
        Ok(Self(digest))
    }
}

/// A text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is 64 hexadecimal digits; copy the one the server printed when it started")]
pub struct PinError;

/// A server's certificate chain and private key.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    pin: Pin,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a certificate chain, the server's own first, and its private key from PEM files.
    pub fn from_pem(certificates: &Path, key: &Path) -> Result<Self, NetError> {
        let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect)
            .map_err(|error| unreadable(certificates, "certificate", error))?;
        let own =
            chain.first().ok_or_else(|| unreadable(certificates, "certificate", pem::Error::NoItemsFound))?;
        let pin = Pin::of(own);
        let secret =
            PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, "private key", error))?;
        Self::new(chain, secret, pin)
            .map_err(|error| NetError::Pem { path: key.into(), what: error.to_string() })
    }

    /// Makes a fresh key and a certificate for it that nobody but its pin vouches for.
    pub fn self_signed() -> Result<Self, NetError> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(NetError::SelfSigned)?;
        let secret = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let certificate = made.cert.der().clone();
        let pin = Pin::of(&certificate);
        Self::new(vec![certificate], secret.into(), pin).map_err(NetError::Tls)
    }

    /// What clients must be given.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        pin: Pin,
    ) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), pin })
    }
}

/// The server's side of a handshake. On failure the peer has been sent the TLS alert.
pub(super) fn accept(
    socket: Timed,
    identity: &Identity,
    timeouts: Timeouts,
    pulse: Arc<Pulse>,
) -> Result<Link, NetError> {
    let session = ServerConnection::new(identity.config.clone()).map_err(NetError::Tls)?;
    Ok(Link::over(shake_hands(session, socket, timeouts)?, timeouts, pulse))
}

/// The client's side of a handshake with the holder of the certificate with this pin.
pub(super) fn join(socket: Timed, pin: Pin, timeouts: Timeouts) -> Result<Link, NetError> {
    let provider = provider();
    let verifier = PinnedServer { pin, algorithms: provider.signature_verification_algorithms };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(NetError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = false;
    let name = ServerName::try_from(NAME).map_err(|_| NetError::Tls(rustls::Error::UnsupportedNameType))?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(NetError::Tls)?;
    Ok(Link::over(shake_hands(session, socket, timeouts)?, timeouts, Arc::default()))
}

fn shake_hands<C, S>(
    mut session: C,
    mut socket: Timed,
    timeouts: Timeouts,
) -> Result<StreamOwned<C, Timed>, NetError>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    socket.set_deadline(Instant::now() + timeouts.connect);
    match session.complete_io(&mut socket) {
        Ok(_) => Ok(StreamOwned::new(session, socket)),
        Err(error) => {
            socket.finish();
            Err(failed_handshake(error, timeouts))
        }
    }
}

fn failed_handshake(error: std::io::Error, timeouts: Timeouts) -> NetError {
    const DOING: &str = "shaking hands by TLS";
    if error.kind() == ErrorKind::TimedOut {
        return NetError::Timeout { doing: DOING, limit: timeouts.connect };
    }
    if hung_up(&error) {
        return NetError::Ended;
    }
    match error.downcast::<rustls::Error>() {
        Ok(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => NetError::NotTls,
        Ok(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))) => {
            match cause.downcast_ref::<WrongPin>() {
                Some(&WrongPin { expected, got }) => NetError::WrongPin { expected, got },
                None => NetError::Tls(CertificateError::Other(OtherError(cause)).into()),
            }
        }
        Ok(error) => NetError::Tls(error),
        Err(source) => NetError::Io { doing: DOING, source },
    }
}

impl<C, S> Transport for StreamOwned<C, Timed>
where
    C: DerefMut<Target = ConnectionCommon<S>> + Send,
    S: SideData,
{
    fn set_deadline(&mut self, deadline: Instant) {
        self.sock.set_deadline(deadline);
    }

    fn shape(&mut self, shape: Shape) -> std::io::Result<()> {
        self.sock.shape(shape)
    }

    fn finish(&mut self) {
        self.sock.set_deadline(Instant::now() + LINGER);
        self.conn.send_close_notify();
        let _ = self.conn.complete_io(&mut self.sock);
        self.sock.finish();
    }
}

/// Believes exactly one certificate.
#[derive(Debug)]
struct PinnedServer {
    pin: Pin,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Carries the two pins through rustls to [`NetError::WrongPin`].
#[derive(Debug, thiserror::Error)]
#[error("certificate has pin {got}, expected {expected}")]
struct WrongPin {
    expected: Pin,
    got: Pin,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (expected, got) = (self.pin, Pin::of(own));
        if bool::from(expected.0.ct_eq(&got.0)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(WrongPin { expected, got }))).into())
        }
    }

    /// Not reached: only TLS 1.3 is offered.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Says what is wrong with a PEM file without repeating any of it.
fn unreadable(path: &Path, wanted: &str, error: pem::Error) -> NetError {
    let what = match error {
        pem::Error::NoItemsFound => format!("holds no {wanted}"),
        pem::Error::Io(error) => error.to_string(),
        _ => format!("holds no readable {wanted}"),
    };
    NetError::Pem { path: path.into(), what }
}

/// The name in a self-signed certificate. Nobody looks at it.
const NAME: &str = "serin";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use std::fs;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    fn pinned_certificate_without_its_key_is_refused() {
        let [pinned, thief] =
            [(); 2].map(|()| rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap());
        let (certificate, stolen) = (pinned.cert.der().clone(), thief.signing_key.serialize_der());
        let key = provider().key_provider.load_private_key(PrivatePkcs8KeyDer::from(stolen).into()).unwrap();
        let (timeouts, pin) = (Timeouts::default(), Pin::of(&certificate));
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key))));
        let impostor = Identity { config: Arc::new(config), pin };

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let [client, server] = [client, server]
            .map(|socket| Timed::new(socket, Instant::now() + Duration::from_secs(5)).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(accept(server, &impostor, timeouts, Arc::default()).is_err()));
            let error = join(client, pin, timeouts).unwrap_err();
            let bad = CertificateError::BadSignature;
            assert!(
                matches!(&error, NetError::Tls(rustls::Error::InvalidCertificate(e)) if *e == bad),
                "{error}"
            );
        });
    }

    #[test]
    fn pin_as_text_round_trips_and_rubbish_is_refused() {
        let pin = Identity::self_signed().unwrap().pin();
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!("beef".parse::<Pin>(), Err(PinError));
        assert_eq!("zz".repeat(32).parse::<Pin>(), Err(PinError));
    }

    #[test]
    fn identity_from_pem_has_the_pin_of_its_certificate() {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let identity = Identity::from_pem(&certificate, &key).unwrap();
        assert_eq!(identity.pin(), Pin::of(made.cert.der()));
        assert_eq!(format!("{identity:?}"), format!("Identity {{ pin: {:?}, .. }}", identity.pin()));

        let swapped = Identity::from_pem(&key, &certificate).unwrap_err().to_string();
        assert!(swapped.contains("key.pem: holds no certificate"), "{swapped}");
        let other = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(matches!(Identity::from_pem(&certificate, &key), Err(NetError::Pem { .. })));
    }
}
