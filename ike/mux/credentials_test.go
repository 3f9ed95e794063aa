package mux_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// card is what a host can prove who it is with: a key, and a certificate of it.
type card struct {
	subject, authority string
	identity           ike.Identity
	certificate        []byte
	private            ike.PrivateKey
	public             ike.PublicKey
}

// office has issued the cards of one kind: paper, or real keys in X.509.
type office struct {
	cards []*card
	store *pki.Store // nil: paper
	names map[string][]byte
}

// Authorities: both hosts trust the good one, and nobody the other.
const (
	goodAuthority = "CN=good"
	badAuthority  = "CN=bad"
)

func (o *office) find(match func(*card) bool) *card {
	if i := slices.IndexFunc(o.cards, match); i >= 0 {
		return o.cards[i]
	}
	return nil
}

var paperOffice = sync.OnceValue(func() *office {
	o := &office{names: map[string][]byte{}}
	for _, authority := range []string{goodAuthority, badAuthority} {
		o.names[authority] = []byte(authority)
		for _, algorithm := range []string{"rsa", "dsa"} {
			for _, host := range []string{"a", "b"} {
				k := &paperKey{algorithm, fmt.Sprint(algorithm, host, authority)}
				o.cards = append(o.cards, &card{
					subject: host, authority: authority, private: k, public: k, certificate: append([]byte("certificate of "+k.secret), make([]byte, 400)...),
					identity: ike.Identity{Type: payload.IDFQDN, Data: []byte(host + ".example")},
				})
			}
		}
	}
	return o
})

// realOffice has RSA and DSA keys of 1024 bits, made once.
var realOffice = sync.OnceValue(func() *office {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	draw := rand.NewChaCha8([32]byte{7})
	o := &office{store: &pki.Store{}, names: map[string][]byte{}}
	from := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	template := func(name string) pki.Template {
		n, err := pki.ParseName(name)
		must(err)
		return pki.Template{Subject: n, NotBefore: from, NotAfter: from.AddDate(10, 0, 0), Hash: "sha1"}
	}
	for _, authority := range []string{goodAuthority, badAuthority} {
		key, err := pki.GenerateKey(draw, "rsa-1024")
		must(err)
		root, err := pki.NewRoot(draw, template(authority), key)
		must(err)
		o.names[authority] = root.Certificate.RawSubject
		o.store.Roots = append(o.store.Roots, root.Certificate)
		for _, kind := range []string{"rsa-1024", "dsa-1024"} {
			for _, host := range []string{"a", "b"} {
				key, err := pki.GenerateKey(draw, kind)
				must(err)
				c, err := root.Issue(draw, template("CN="+host+".example"), key.Public())
				must(err)
				o.cards = append(o.cards, &card{
					subject: host, authority: authority, certificate: c.Raw, private: key, public: key.Public(),
					identity: ike.Identity{Type: payload.IDDERDN, Data: c.RawSubject},
				})
			}
		}
	}
	return o
})

// wallet answers an engine's questions about the certificates of a host. It implements ike.Certificates.
type wallet struct {
	*office
	host      string
	authority string         // of its own certificate
	key       ike.PrivateKey // in place of the certificate's; nil: that
	asks      bool           // it sends certificate requests
	peers     map[netip.Addr]string
	claims    string // it calls itself as this host; "": as itself
	trusting  bool   // it does not compare names
}

func (w *wallet) Requests() [][]byte {
	if !w.asks {
		return nil
	}
	return [][]byte{w.names[goodAuthority]}
}

func algorithm(m ike.AuthMethod) string {
	if m == ike.DSSSignature {
		return "dsa"
	}
	return "rsa"
}

func (w *wallet) Own(_ time.Time, m ike.AuthMethod, requested [][]byte) (ike.Credential, error) {
	c := w.find(func(c *card) bool {
		return c.subject == w.host && c.authority == w.authority && c.private.Algorithm() == algorithm(m)
	})
	if len(requested) > 0 && !slices.ContainsFunc(requested, func(n []byte) bool { return bytes.Equal(n, w.names[c.authority]) }) {
		return ike.Credential{}, ike.Errorf(ike.CodeNoCertificate, payload.NotifyCertificateUnavailable, "no certificate of an authority that the peer names")
	}
	own := ike.Credential{Identity: c.identity, Chain: []payload.Certificate{{Encoding: payload.CertX509Signature, Data: c.certificate}}, Key: c.private}
	if w.key != nil {
		own.Key = w.key
	}
	if w.claims != "" {
		own.Identity = w.find(func(c *card) bool { return c.subject == w.claims }).identity
	}
	return own, nil
}

func (w *wallet) Peer(at time.Time, _ ike.AuthMethod, id payload.ID, sent []payload.Certificate) (ike.PublicKey, error) {
	if len(sent) == 0 {
		return nil, ike.Errorf(ike.CodeNoPeerCertificate, payload.NotifyCertificateUnavailable, "the peer has sent no certificate")
	}
	refused := func(format string, args ...any) error {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyInvalidCertificate, format, args...)
	}
	if w.store == nil {
		c := w.find(func(c *card) bool { return bytes.Equal(c.certificate, sent[0].Data) })
		switch {
		case c == nil:
			return nil, refused("the peer's certificate cannot be read")
		case c.authority != goodAuthority:
			return c.public, refused("the peer's certificate is of %s", c.authority)
		case w.trusting:
		case id.IDType != c.identity.Type || !bytes.Equal(id.Data, c.identity.Data):
			return c.public, refused("the peer calls itself %v, and its certificate does not", id)
		}
		return c.public, nil
	}
	leaf, err := pki.ParseCertificate(sent[0].Data)
	if err != nil || leaf.Key == nil {
		return nil, refused("the peer's certificate: %v", err)
	}
	root, err := pki.ParseName(goodAuthority)
	if err != nil {
		panic(err)
	}
	if _, err := w.store.VerifyPeer(pki.Peer{Certificates: [][]byte{sent[0].Data}}, at, pki.Rule{Roots: []pki.Name{root}, Keys: []string{pki.RSA, pki.DSA}}); err != nil {
		return leaf.Key, refused("%v", err)
	}
	if id.IDType != payload.IDDERDN || !bytes.Equal(id.Data, leaf.RawSubject) {
		return leaf.Key, refused("the peer calls itself %v, and its certificate does not", id)
	}
	return leaf.Key, nil
}

func (w *wallet) Known(_ time.Time, remote netip.Addr, id *payload.ID) (ike.PublicKey, []byte, error) {
	c := w.find(func(c *card) bool {
		if c.authority != goodAuthority || c.private.Algorithm() != "rsa" {
			return false
		}
		if id != nil {
			return id.IDType == c.identity.Type && bytes.Equal(id.Data, c.identity.Data)
		}
		return c.subject == w.peers[remote]
	})
	if c == nil {
		return nil, nil, ike.Errorf(ike.CodeAuthFailed, payload.NotifyInvalidIDInformation, "no key of %v is known", id)
	}
	return c.public, c.certificate, nil
}
