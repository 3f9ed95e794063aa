package ikev1

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// wallet has one certificate, of an authority that it also asks peers for.
type wallet struct {
	authority   []byte
	certificate *pki.Certificate
	key         pki.PrivateKey
	refuses     error // what it says of every peer
}

// judgedKey is the key of a certificate with what it was judged by.
type judgedKey struct {
	ike.PublicKey
	sentence string
}

func (k judgedKey) Explain() []string { return []string{k.sentence} }

func (w *wallet) Requests() [][]byte { return [][]byte{w.authority} }

func (w *wallet) Own(time.Time, ike.AuthMethod, [][]byte) (ike.Credential, error) {
	return ike.Credential{
		Identity: ike.Identity{Type: payload.IDDERDN, Data: w.certificate.RawSubject}, Key: w.key,
		Chain:       []payload.Certificate{{Encoding: payload.CertX509Signature, Data: w.certificate.Raw}},
		Explanation: []string{"it is the only one in the store"},
	}, nil
}

func (w *wallet) Peer(_ time.Time, _ ike.AuthMethod, _ payload.ID, sent []payload.Certificate) (ike.PublicKey, error) {
	c, err := pki.ParseCertificate(sent[0].Data)
	if err != nil {
		return nil, err
	}
	return judgedKey{c.Key, "its issuer is " + c.Issuer.String()}, w.refuses
}

func (w *wallet) Known(time.Time, netip.Addr, *payload.ID) (ike.PublicKey, []byte, error) {
	return nil, nil, ike.Errorf(ike.CodeNoPeerCertificate, 0, "no key is known")
}

// wallets are those of two hosts with certificates of one authority.
func wallets(t *testing.T) (a, b *wallet) {
	rand := rand.NewChaCha8([32]byte{9})
	from := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	template := func(name string) pki.Template {
		n, err := pki.ParseName(name)
		require.NoError(t, err)
		return pki.Template{Subject: n, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}
	}
	key, err := pki.GenerateKey(rand, "rsa-1024")
	require.NoError(t, err)
	root, err := pki.NewRoot(rand, template("CN=Lab Root,O=Lab"), key)
	require.NoError(t, err)
	authority, err := root.Certificate.Subject.Marshal()
	require.NoError(t, err)
	one := func(name string) *wallet {
		key, err := pki.GenerateKey(rand, "rsa-1024")
		require.NoError(t, err)
		c, err := root.Issue(rand, template(name), key.Public())
		require.NoError(t, err)
		return &wallet{authority: authority, certificate: c, key: key}
	}
	return one("CN=a.lab.example"), one("CN=b.lab.example")
}

// outcomeOf is how a side says that phase 1 ended.
func (s *side) outcomeOf(exchange string) trace.Negotiation {
	s.t.Helper()
	for _, b := range s.log {
		if n, ok := b.(trace.Negotiation); ok && n.Exchange == exchange && outcome(n.State) {
			return n
		}
	}
	require.Fail(s.t, "no outcome")
	return trace.Negotiation{}
}

// signing has both sides of a phase 1 prove themselves with certificates.
func signing(t *testing.T, aggressive bool) (i, r *side, a, b *wallet) {
	i, r = newSide(t, 1), newSide(t, 2)
	a, b = wallets(t)
	for s, w := range map[*side]*wallet{i: a, r: b} {
		s.policy.Auth, s.policy.Aggressive = []ike.Auth{{Method: ike.RSASignature, Certificates: w}}, aggressive
	}
	return i, r, a, b
}

func TestSignaturesAreExplained(t *testing.T) {
	for exchange, aggressive := range map[string]bool{"main mode": false, "aggressive mode": true} {
		t.Run(exchange, func(t *testing.T) {
			i, r, _, _ := signing(t, aggressive)
			beginWith(i, r)
			if aggressive {
				i.give(r.take())
				r.give(i.take())
				require.True(t, i.sa.Established() && r.sa.Established(), "%s %s", i.note(), r.note())
			} else {
				i.establish(r)
			}
			proof := func(name, how, state, sentence string) trace.Proof {
				return trace.Proof{
					Identity: "CN=" + name, State: state, How: how + " with the private key of the certificate", Explanation: []string{sentence},
					Certificate: trace.Certificate{
						Subject: "CN=" + name, Issuer: "CN=Lab Root,O=Lab", NotBefore: "2005-01-01T00:00:00Z", NotAfter: "2006-01-01T00:00:00Z", Key: "rsa, 1024 bits",
					},
				}
			}
			for _, row := range []struct {
				side      *side
				own, peer trace.Proof
			}{
				{i, proof("a.lab.example", "SIG_I", "sent", "it is the only one in the store"), proof("b.lab.example", "SIG_R", "proved", "its issuer is CN=Lab Root,O=Lab")},
				{r, proof("b.lab.example", "SIG_R", "sent", "it is the only one in the store"), proof("a.lab.example", "SIG_I", "proved", "its issuer is CN=Lab Root,O=Lab")},
			} {
				got := row.side.outcomeOf(exchange).Authentication
				require.NotEmpty(t, got.Own.Certificate.Serial)
				require.NotEqual(t, got.Own.Certificate.Serial, got.Peer.Certificate.Serial)
				got.Own.Certificate.Serial, got.Peer.Certificate.Serial = "", ""
				require.Equal(t, row.own, got.Own)
				require.Equal(t, row.peer, got.Peer)
				require.Equal(t, "RSA signatures", got.Method)
				require.Equal(t, []string{"CN=Lab Root,O=Lab"}, got.Requests)
				require.Equal(t, []string{"CN=Lab Root,O=Lab"}, got.Requested)
			}
		})
	}
}

// A certificate that is not accepted is named by who refuses it, as claimed and not proved.
func TestRefusedCertificateIsExplained(t *testing.T) {
	i, r, _, b := signing(t, false)
	b.refuses = ike.Errorf(ike.CodeChainMismatch, payload.NotifyInvalidCertificate, "the authority is unknown")
	beginWith(i, r)
	for range 2 {
		i.give(r.take())
		r.give(i.take())
	}
	n := r.outcomeOf("main mode")
	require.Equal(t, "failed", n.State)
	require.Equal(t, "the authority is unknown", n.Reason)
	require.Equal(t, "claimed", n.Authentication.Peer.State)
	require.Empty(t, n.Authentication.Peer.How)
	require.Equal(t, "CN=a.lab.example", n.Authentication.Peer.Certificate.Subject)
	require.Zero(t, n.Authentication.Own, "it has not come to its own proof")
}

// With a pre-shared key both outcomes name who has proved himself, and the offer.
func TestOutcomesAreExplained(t *testing.T) {
	i, r := establish(t)
	for _, s := range []*side{i, r} {
		n := s.outcomeOf("main mode")
		require.Len(t, n.Offered, 1)
		require.Equal(t, trace.Chosen, n.Offered[0].Verdict)
		require.Equal(t, "pre-shared key", n.Authentication.Method)
		require.Equal(t, "proved", n.Authentication.Peer.State)
		require.Equal(t, "sent", n.Authentication.Own.State)
	}
	require.Equal(t, "HASH_I under keys from the pre-shared key", i.outcomeOf("main mode").Authentication.Own.How)
	require.Equal(t, "HASH_I under keys from the pre-shared key", r.outcomeOf("main mode").Authentication.Peer.How)
	require.Empty(t, i.outcomeOf("main mode").Preference, "the initiator does not know it")
	require.Equal(t, "initiator's order", r.outcomeOf("main mode").Preference)
}

// Nothing is explained where nobody reads it.
func TestNothingIsExplainedWithoutTrace(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	i.config.Trace, r.config.Trace = nil, nil
	beginWith(i, r)
	require.Empty(t, r.sa.decision)
	i.establish(r)
	require.Empty(t, r.sa.decision)
}
