package spec

import "time"

// PKI is the certification authorities of a scenario, and what they have issued. All
// keys come from the scenario's seed.
type PKI struct {
	Authorities  map[string]Authority   `yaml:"authorities" jsonschema:"required,minProperties=1"`
	Certificates map[string]Certificate `yaml:"certificates"`
}

// Issued is what every certificate has.
type Issued struct {
	Subject   string    `yaml:"subject" jsonschema:"minLength=1"` // distinguished name: CN=client.example.com, O=Example, C=US
	Issuer    string    `yaml:"issuer" jsonschema:"minLength=1"`  // an authority of the scenario
	Key       string    `yaml:"key"`                              // rsa-1024 (default) to rsa-4096, dsa-1024, dsa-2048, ecdsa-256, ecdsa-384 or ecdsa-521
	Hash      string    `yaml:"hash"`                             // of the signature: md5, sha1 (default), sha256, sha384 or sha512
	NotBefore time.Time `yaml:"not-before"`                       // default: a year before the scenario starts
	NotAfter  time.Time `yaml:"not-after"`                        // default: a year after the scenario starts; of an authority, ten years

	// File is a file beside the scenario's, or below, with the certificate: PEM, DER, PKCS #7 or
	// PKCS #12, and its private key if it is a computer's, or an authority's that issues something. Further
	// certificates in it are intermediates of the computer's. Then subject, key, hash and
	// the rest are what the file says.
	File     string `yaml:"file" jsonschema:"minLength=1"`
	Password string `yaml:"password"` // of a PKCS #12 file
	Octets   []byte `yaml:"-"`        // with file: what it holds, which reading the scenario puts there

	// Revoked has the issuer's list of revoked certificates name this one, for a reason of
	// RFC 5280, Section 5.3.1: keyCompromise, superseded …
	Revoked string `yaml:"revoked"`
	// CRLPoints are addresses at which the issuer says that its list of revoked certificates is, such as
	// http://ca.example.com/CertEnroll/root.crl (RFC 5280, Section 4.2.1.13). Default: none.
	CRLPoints []string `yaml:"crl-points" jsonschema:"uniqueItems=true"`
	// Usage is the key usage extension (RFC 5280, Section 4.2.1.3): digitalSignature,
	// keyEncipherment … Default: none, which allows all; of an authority, what it needs to be one.
	Usage []string `yaml:"key-usage" jsonschema:"uniqueItems=true"`
}

// Authority is a certification authority: a root, or one that another authority has issued
// a certificate for.
type Authority struct {
	Issued `yaml:",inline"`
	// PathLength is how many authorities may be between this one and a certificate
	// (RFC 5280, Section 4.2.1.9). Default: any number.
	PathLength *int `yaml:"path-length" jsonschema:"minimum=0,maximum=10"`
	// ListUntil is when its list of revoked certificates should have been followed by another.
	// Default: a month after the scenario starts.
	ListUntil time.Time `yaml:"list-until"`
}

// Certificate is what an authority has issued for a computer.
type Certificate struct {
	Issued `yaml:",inline"`

	DNS           []string `yaml:"dns" jsonschema:"uniqueItems=true"`   // alternative names of the subject: DNS names
	UPN           []string `yaml:"upn" jsonschema:"uniqueItems=true"`   // user principal names: HOST$@example.com, host/host.example.com
	Email         []string `yaml:"email" jsonschema:"uniqueItems=true"` // addresses of electronic mail
	IP            []string `yaml:"ip" jsonschema:"uniqueItems=true"`    // addresses, or nodes: the first address of each
	ExtendedUsage []string `yaml:"extended-key-usage" jsonschema:"uniqueItems=true"`
}

// CertificateStore is what a host has in the certificate store of the computer, and what
// it thinks of certificates.
type CertificateStore struct {
	// Own are certificates of this computer, with their private keys.
	Own []string `yaml:"own" jsonschema:"uniqueItems=true"`
	// NoPrivateKey are those of Own of which the computer lacks the private key, and
	// WrongKey those of which it has another one.
	NoPrivateKey []string `yaml:"no-private-key" jsonschema:"uniqueItems=true"`
	WrongKey     []string `yaml:"wrong-key" jsonschema:"uniqueItems=true"`
	// Roots are the authorities that the computer trusts. Default: the roots of Own.
	Roots []string `yaml:"roots" jsonschema:"uniqueItems=true"`
	// Intermediates are authorities whose certificates the computer has besides. Default: those
	// between Own and their roots.
	Intermediates []string `yaml:"intermediates" jsonschema:"uniqueItems=true"`
	// Lists are authorities whose list of revoked certificates the computer has.
	Lists []string `yaml:"revocation-lists" jsonschema:"uniqueItems=true"`
	// Peers are certificates of others that the computer has beforehand, as public key
	// encryption needs.
	Peers []string `yaml:"peers" jsonschema:"uniqueItems=true"`

	// StrongCRLCheck is the registry value of that name: 0 looks at no list of revoked
	// certificates, 1 refuses what a list names, 2 refuses also where there is no usable
	// list. That of Windows Server 2003 is unconfirmed. Default: 0.
	StrongCRLCheck int `yaml:"strong-crl-check" jsonschema:"minimum=0,maximum=2"`
	// Identity is what the computer calls itself in phase 1: subject (default: the
	// distinguished name, as Windows does), dns, email or address.
	Identity string `yaml:"identity" jsonschema:"enum=subject,enum=dns,enum=email,enum=address"`
	// OwnOnly sends the computer's certificate without those of the authorities between it
	// and the root. Which of them Windows sends is unconfirmed.
	OwnOnly bool `yaml:"own-only"`
	// OwnUnchecked shows the first of Own whatever is wrong with it, so that the peer finds
	// the fault. Windows shows what its own rule would accept, as far as is known.
	OwnUnchecked bool `yaml:"own-unchecked"`
	// AnyIdentity takes a peer whose identity is none of the names of its certificate.
	AnyIdentity bool `yaml:"any-identity"`

	// Allow is the right "Access this computer from the network": accounts and groups of those
	// to whose certificates a rule maps. Default: everyone with an account. Deny goes before it.
	Allow []string `yaml:"allow" jsonschema:"uniqueItems=true"`
	Deny  []string `yaml:"deny" jsonschema:"uniqueItems=true"`
}

// The forms of identity beside a certificate.
const (
	IdentitySubject = "subject"
	IdentityDNS     = "dns"
	IdentityEmail   = "email"
	IdentityAddress = "address"
)

// What is done with a certificate in phase 1.
const (
	BySignature         = "rsa-signature"
	ByDSS               = "dss-signature"
	ByEncryption        = "rsa-encryption"
	ByRevisedEncryption = "revised-rsa-encryption"
)

// Root is the authority at the top of a chain that begins with an authority; "" where
// there is none because it goes round.
func (p *PKI) Root(authority string) string {
	for range len(p.Authorities) + 1 {
		a, ok := p.Authorities[authority]
		switch {
		case !ok:
			return ""
		case a.Issuer == "" || a.Issuer == authority:
			return authority
		}
		authority = a.Issuer
	}
	return ""
}

// Above are the authorities between a certificate or authority with this issuer and the root, without the root.
func (p *PKI) Above(issuer string) (names []string) {
	for range len(p.Authorities) {
		a, ok := p.Authorities[issuer]
		if !ok || a.Issuer == "" || a.Issuer == issuer {
			break
		}
		names = append(names, issuer)
		issuer = a.Issuer
	}
	return names
}

// Validity is when the certificate is valid, for years by default.
func (i Issued) Validity(start time.Time, years int) (from, until time.Time) {
	from, until = i.NotBefore, i.NotAfter
	if from.IsZero() {
		from = start.AddDate(-1, 0, 0)
	}
	if until.IsZero() {
		until = start.AddDate(years, 0, 0)
	}
	return from, until
}
