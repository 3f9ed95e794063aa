//go:build unix

package hosts_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// BenchmarkCertificates is the processor time that a host takes over the certificates of
// one signed main mode, its own and its peer's, each issued by a root with keys of
// 2048 bits: own-µs and peer-µs. The limit is the check of one signature: check-µs.
func BenchmarkCertificates(b *testing.B) {
	random := rand.NewChaCha8([32]byte{3})
	at := time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	template := func(subject string) pki.Template {
		name, err := pki.ParseName(subject)
		require.NoError(b, err)
		return pki.Template{Subject: name, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)}
	}
	key, err := pki.GenerateKey(random, "rsa-2048")
	require.NoError(b, err)
	root, err := pki.NewRoot(random, template("CN=Root,O=Lab"), key)
	require.NoError(b, err)
	own, err := root.Issue(random, template("CN=own.lab.example,O=Lab"), key.Public())
	require.NoError(b, err)
	c := hosts.Certificates{Store: pki.Store{Roots: []*pki.Certificate{root.Certificate}, Own: []pki.Own{{Certificate: own, Key: key}}}}
	rule := c.For([]policy.RootCA{{Name: root.Certificate.Subject}})
	id := payload.ID{IDType: payload.IDDERDN, Data: own.RawSubject}
	sent := []payload.Certificate{{Encoding: payload.CertX509Signature, Data: own.Raw}}
	signature, err := key.Sign(make([]byte, 20))
	require.NoError(b, err)

	var ofOwn, ofPeer, check time.Duration
	measure := func(sum *time.Duration, do func() error) {
		start := cpuTime(b)
		for range 10 {
			require.NoError(b, do())
		}
		*sum += cpuTime(b) - start
	}
	for range b.N {
		measure(&ofOwn, func() error { _, err := rule.Own(at, ike.RSASignature, rule.Requests()); return err })
		measure(&ofPeer, func() error { _, err := rule.Peer(at, ike.RSASignature, id, sent); return err })
		measure(&check, func() error { return key.Public().Verify(make([]byte, 20), signature) })
	}
	us := func(d time.Duration) float64 { return d.Seconds() * 1e5 / float64(b.N) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(us(ofOwn), "own-µs")
	b.ReportMetric(us(ofPeer), "peer-µs")
	b.ReportMetric(us(check), "check-µs")
}
