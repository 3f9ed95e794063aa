package spec

import (
	"slices"
	"strings"
	"time"
)

// SCEPService answers for a certification authority by SCEP over HTTP, as the add-on Cepsetup
// has a certification authority of Windows do.
type SCEPService struct {
	Authority string `yaml:"authority" jsonschema:"required"` // of the scenario
	// Challenge is the password that requests must have. That of Windows counts once, for an hour;
	// this one always. Default: none is asked for.
	Challenge string `yaml:"challenge"`
	// Pending is how long an administrator takes to decide about a request, and Deny that he is
	// against it. Default: requests are granted at once.
	Pending Duration `yaml:"pending"`
	Deny    bool     `yaml:"deny"`
	// Registrars are certificates, of key-usage digitalSignature and keyEncipherment or of none, of the registration
	// authorities that answer in the authority's place. Default: it answers itself.
	Registrars []string `yaml:"registrars" jsonschema:"uniqueItems=true"`
	// Capabilities are what it announces: POSTPKIOperation, Renewal, SHA-1, SHA-256, DES3, AES. Default:
	// it does not know the question, so that messages come by GET, with DES and MD5.
	Capabilities []string `yaml:"capabilities" jsonschema:"uniqueItems=true"`
	Validity     Duration `yaml:"validity"`                                 // of what it issues; 0: 365 days
	Hash         string   `yaml:"hash"`                                     // of its signatures on what it issues: md5, sha1 (default), sha256, sha384 or sha512
	CRLPoints    []string `yaml:"crl-points" jsonschema:"uniqueItems=true"` // that what it issues names
	Usage        []string `yaml:"key-usage" jsonschema:"uniqueItems=true"`  // of what it issues; default: what is asked for, or none
}

// SCEPServer is where a step asks, and how patient it is.
type SCEPServer struct {
	From string `yaml:"from" jsonschema:"required"`                // the host that asks
	To   string `yaml:"to" jsonschema:"required"`                  // a node that serves scep
	Port int    `yaml:"port" jsonschema:"minimum=0,maximum=65535"` // 0: 80
	// Fingerprint is the authority whose certificate the administrator of the host expects, since somebody
	// has read its fingerprint to him. Default: whatever certificate comes is trusted.
	Fingerprint string   `yaml:"fingerprint"`
	Timeout     Duration `yaml:"timeout"`                                   // of each connection; 0: 30s
	Interval    Duration `yaml:"interval"`                                  // from a question without an answer, or without a decision, to the next; 0: 1m, as IOS has it
	Tries       int      `yaml:"tries" jsonschema:"minimum=0,maximum=1000"` // how many questions; 0: 10, as IOS has it
}

// Enrol has a host get a certificate from an authority by SCEP, and put it into its store.
type Enrol struct {
	SCEPServer `yaml:",inline"`

	Subject   string   `yaml:"subject"`                           // distinguished name; with renew that of the certificate renewed
	Key       string   `yaml:"key"`                               // rsa-1024 (default) to rsa-4096
	DNS       []string `yaml:"dns" jsonschema:"uniqueItems=true"` // alternative names that are asked for
	Email     []string `yaml:"email" jsonschema:"uniqueItems=true"`
	IP        []string `yaml:"ip" jsonschema:"uniqueItems=true"` // addresses, or nodes: the first address of each
	Usage     []string `yaml:"key-usage" jsonschema:"uniqueItems=true"`
	Challenge string   `yaml:"challenge"` // password

	// Renew has the certificate, for a new key, take the place of the one that the host has of this
	// authority, which signs the request in place of a password.
	Renew bool `yaml:"renew"`
}

// FetchList has a host get a list of revoked certificates and put it into its store: by SCEP that of the
// authority that it has a certificate of, or by HTTP one of an authority of which it has the certificate.
type FetchList struct {
	SCEPServer `yaml:",inline"`

	Path string `yaml:"path"` // by HTTP: where the list is, such as /CertEnroll/root.crl
}

// StoreExpect is what the certificate store of a host has at the end of a step, no more and no less.
type StoreExpect struct {
	Own   []string `yaml:"own" jsonschema:"uniqueItems=true"`              // subjects
	Roots []string `yaml:"roots" jsonschema:"uniqueItems=true"`            // authorities
	Lists []string `yaml:"revocation-lists" jsonschema:"uniqueItems=true"` // authorities
}

// TCPPort is the server's port.
func (s SCEPServer) TCPPort() int { return or(s.Port, 80) }

// Patience is how long a connection may take.
func (s SCEPServer) Patience() time.Duration { return or(s.Timeout.Span(), 30*time.Second) }

// Gap is the time from one question to the next.
func (s SCEPServer) Gap() time.Duration { return or(s.Interval.Span(), time.Minute) }

// Questions is how many there are at most.
func (s SCEPServer) Questions() int { return or(s.Tries, 10) }

// scep is what a step asks of an authority; nil: it asks nothing.
func (s *Step) scep() *SCEPServer {
	switch {
	case s.Enrol != nil:
		return &s.Enrol.SCEPServer
	case s.FetchList != nil:
		return &s.FetchList.SCEPServer
	}
	return nil
}

var (
	rsaKinds     = keyKinds[:slices.Index(keyKinds, "dsa-1024")]
	capabilities = []string{"POSTPKIOperation", "Renewal", "SHA-1", "SHA-256", "DES3", "AES"}
)

// scepService checks a service that answers for an authority.
func (c *checker) scepService(path string, s Service) {
	v := s.SCEP
	if v == nil {
		return
	}
	switch {
	case s.TCP == 0:
		c.key(child(path, "scep"), "scep: it needs tcp: a port, such as 80")
	case s.Policies != nil:
		c.key(child(path, "scep"), "scep: the port is that of a policy server: take another one")
	}
	path = child(path, "scep")
	if v.Authority == "" {
		c.missing(path, "authority", "scep: there is no authority")
	} else {
		c.authority(child(path, "authority"), "authority", v.Authority)
		if p := c.s.PKI; p != nil && len(v.Registrars) == 0 && own(p.Authorities, v.Authority) {
			if key := p.Authorities[v.Authority].Key; key != "" && !slices.Contains(rsaKinds, key) {
				c.at(child(path, "authority"), "authority: requests are encrypted to %s, whose key is %s, and not RSA: give it registrars", v.Authority, shorten(key))
			}
		}
	}
	for i, name := range v.Registrars {
		at := item(child(path, "registrars"), i)
		c.certificate(at, "registrars", name)
		if p := c.s.PKI; p != nil && own(p.Certificates, name) && p.Certificates[name].Issuer != v.Authority {
			c.at(at, "registrars: %s has no certificate of %s", name, v.Authority)
		}
	}
	for i, word := range v.Capabilities {
		if !slices.Contains(capabilities, word) {
			c.at(item(child(path, "capabilities"), i), "capabilities: want %s, got %q%s", strings.Join(capabilities, ", "), shorten(word), Suggest(word, capabilities))
		}
	}
	c.span(path, "pending", v.Pending)
	c.span(path, "validity", v.Validity)
	c.word(path, "hash", v.Hash, certHashes...)
}

// lists checks a service that gives lists of revoked certificates.
func (c *checker) lists(path string, s Service) {
	if s.Lists == nil {
		return
	}
	switch {
	case s.TCP == 0:
		c.key(child(path, "lists"), "lists: they need tcp: a port, such as 80")
	case s.Policies != nil:
		c.key(child(path, "lists"), "lists: the port is that of a policy server: take another one")
	}
	for i, name := range s.Lists {
		c.authority(item(child(path, "lists"), i), "lists", name)
	}
}

func (c *checker) fetchList(path string, f *FetchList) {
	c.scepServer(path, &f.SCEPServer)
	switch {
	case f.Path != "" && (!strings.HasPrefix(f.Path, "/") || strings.ContainsFunc(f.Path, func(r rune) bool { return r <= ' ' || r > '~' })):
		c.at(child(path, "path"), "path: want a path such as /CertEnroll/root.crl, got %q", shorten(f.Path))
	case f.Path != "" && f.Fingerprint != "":
		c.at(child(path, "fingerprint"), "fingerprint: by HTTP the list comes alone, and counts if its authority's certificate is in the store")
	}
}

// scepServer checks where a step asks.
func (c *checker) scepServer(path string, s *SCEPServer) {
	c.ends(path, s.From, s.To, false)
	if s.Port != 0 {
		c.port(path, "port", s.Port)
	}
	if s.Fingerprint != "" {
		c.authority(child(path, "fingerprint"), "fingerprint", s.Fingerprint)
	}
	c.span(path, "timeout", s.Timeout)
	c.span(path, "interval", s.Interval)
	c.between(path, "tries", s.Tries, 0, 1000)
	if s.Questions() > 1 && s.Questions() <= 1000 && s.Gap() > maxDuration/time.Duration(s.Questions()) {
		c.at(child(path, "interval"), "interval: %d times %s is longer than %s", s.Questions(), formatDuration(s.Gap()), formatDuration(maxDuration))
	}
}

func (c *checker) enrol(path string, e *Enrol) {
	c.scepServer(path, &e.SCEPServer)
	if e.Subject == "" && !e.Renew {
		c.missing(path, "subject", "enrol: there is no subject: a distinguished name such as CN=router.example.com, O=Example, C=US")
	}
	c.word(path, "key", e.Key, rsaKinds...)
	for i, word := range e.IP {
		if _, err := c.s.Resolve(word); err != nil && !c.unknown("$.nodes") {
			c.at(item(child(path, "ip"), i), "ip: %s", err)
		}
	}
}

// storeExpect checks what is expected of a certificate store.
func (c *checker) storeExpect(path string, s *StoreExpect) {
	for i, name := range s.Roots {
		c.authority(item(child(path, "roots"), i), "roots", name)
	}
	for i, name := range s.Lists {
		c.authority(item(child(path, "revocation-lists"), i), "revocation-lists", name)
	}
}
