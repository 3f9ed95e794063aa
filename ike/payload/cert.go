package payload

// CertEncoding is how a certificate is encoded, RFC 2408, Section 3.9.
type CertEncoding uint8

// Certificate encodings, RFC 2408, Section 3.9.
const (
	CertNone          CertEncoding = 0
	CertPKCS7         CertEncoding = 1
	CertPGP           CertEncoding = 2
	CertDNSKey        CertEncoding = 3
	CertX509Signature CertEncoding = 4
	CertX509Exchange  CertEncoding = 5
	CertKerberos      CertEncoding = 6
	CertCRL           CertEncoding = 7
	CertARL           CertEncoding = 8
	CertSPKI          CertEncoding = 9
	CertX509Attribute CertEncoding = 10
)

var certNames = map[CertEncoding]string{
	CertNone: "NONE", CertPKCS7: "PKCS #7 wrapped X.509 certificate", CertPGP: "PGP Certificate", CertDNSKey: "DNS Signed Key",
	CertX509Signature: "X.509 Certificate - Signature", CertX509Exchange: "X.509 Certificate - Key Exchange", CertKerberos: "Kerberos Tokens",
	CertCRL: "Certificate Revocation List (CRL)", CertARL: "Authority Revocation List (ARL)", CertSPKI: "SPKI Certificate",
	CertX509Attribute: "X.509 Certificate - Attribute",
}

func (e CertEncoding) String() string { return name(certNames, e) }

// Certificate is a Certificate payload, RFC 2408, Section 3.9.
type Certificate struct {
	Encoding CertEncoding
	Data     []byte
}

// Type is TypeCert.
func (Certificate) Type() Type { return TypeCert }
func (c Certificate) appendBody(dst []byte) []byte {
	return append(append(dst, byte(c.Encoding)), c.Data...)
}

// CertificateRequest is a Certificate Request payload, RFC 2408, Section 3.10:
// it asks for a certificate of an authority, of any where Authority is empty.
type CertificateRequest struct {
	Encoding  CertEncoding
	Authority []byte // its distinguished name in DER
}

// Type is TypeCertReq.
func (CertificateRequest) Type() Type { return TypeCertReq }
func (c CertificateRequest) appendBody(dst []byte) []byte {
	return append(append(dst, byte(c.Encoding)), c.Authority...)
}

func parseCert(b []byte) (Payload, error) {
	if len(b) == 0 {
		return nil, errorf(NotifyPayloadMalformed, "certificate without an encoding")
	}
	return Certificate{Encoding: CertEncoding(b[0]), Data: b[1:]}, nil
}

func parseCertReq(b []byte) (Payload, error) {
	if len(b) == 0 {
		return nil, errorf(NotifyPayloadMalformed, "certificate request without an encoding")
	}
	return CertificateRequest{Encoding: CertEncoding(b[0]), Authority: b[1:]}, nil
}

// Signature is a Signature payload, RFC 2408, Section 3.12.
type Signature struct{ Data []byte }

// Type is TypeSignature.
func (Signature) Type() Type                     { return TypeSignature }
func (s Signature) appendBody(dst []byte) []byte { return append(dst, s.Data...) }
