package mux_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// authority issues the certificates of hosts, each of the same kind of key as its own.
type authority struct {
	t    testing.TB
	kind string
	rand *rand.ChaCha8
	root *pki.Authority
}

func newAuthority(t testing.TB, kind string) *authority {
	a := &authority{t: t, kind: kind, rand: rand.NewChaCha8([32]byte{7})}
	key, err := pki.GenerateKey(a.rand, kind)
	require.NoError(t, err)
	a.root, err = pki.NewRoot(a.rand, a.template("CN=Root,O=Lab"), key)
	require.NoError(t, err)
	return a
}

func (a *authority) template(subject string) pki.Template {
	name, err := pki.ParseName(subject)
	require.NoError(a.t, err)
	from := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	return pki.Template{Subject: name, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}
}

// wallet is a store with a certificate of the authority's, for a key that is made for it if none is given.
func (a *authority) wallet(subject string, key pki.PrivateKey) *chained {
	if key == nil {
		var err error
		key, err = pki.GenerateKey(a.rand, a.kind)
		require.NoError(a.t, err)
	}
	c, err := a.root.Issue(a.rand, a.template(subject), key.Public())
	require.NoError(a.t, err)
	return &chained{
		rule:  pki.Rule{Roots: []pki.Name{a.root.Certificate.Subject}},
		store: pki.Store{Roots: []*pki.Certificate{a.root.Certificate}, Own: []pki.Own{{Certificate: c, Key: key}}},
	}
}

// chained answers questions about certificates from a store under one rule.
type chained struct {
	rule  pki.Rule
	store pki.Store
	peer  *pki.Certificate // known beforehand
}

func (w *chained) Requests() [][]byte { return [][]byte{w.store.Roots[0].RawSubject} }

func (w *chained) Own(at time.Time, _ ike.AuthMethod, _ [][]byte) (ike.Credential, error) {
	own, _, err := w.store.Select(nil, at, w.rule)
	return ike.Credential{
		Identity: ike.Identity{Type: payload.IDDERDN, Data: own.Certificate.RawSubject}, Key: own.Key,
		Chain: []payload.Certificate{{Encoding: payload.CertX509Signature, Data: own.Certificate.Raw}},
	}, err
}

func (w *chained) Peer(at time.Time, _ ike.AuthMethod, _ payload.ID, sent []payload.Certificate) (ike.PublicKey, error) {
	path, err := w.store.VerifyPeer(pki.Peer{Certificates: [][]byte{sent[0].Data}}, at, w.rule)
	if err != nil {
		return nil, err
	}
	return path[0].Key, nil
}

func (w *chained) Known(at time.Time, _ netip.Addr, _ *payload.ID) (ike.PublicKey, []byte, error) {
	_, err := w.store.Verify(w.peer, nil, nil, at, w.rule)
	return w.peer.Key, w.peer.Raw, err
}

// certify has two hosts prove who they are with certificates; the key is that of the first one.
func certify(t testing.TB, kind string, m ike.AuthMethod, x, y *host) pki.PrivateKey {
	a := newAuthority(t, kind)
	wx, wy := a.wallet("CN=x", nil), a.wallet("CN=y", nil)
	wx.peer, wy.peer = wy.store.Own[0].Certificate, wx.store.Own[0].Certificate
	x.auth, y.auth = []ike.Auth{{Method: m, Certificates: wx}}, []ike.Auth{{Method: m, Certificates: wy}}
	return wx.store.Own[0].Key
}
