package observe_test

import (
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/natbox/fair"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

// seeds are packets of each kind, for fuzzing.
func seeds(t testing.TB) (all [][]byte) {
	for _, f := range families {
		for _, name := range []string{"a connection", "datagrams", "echoes"} {
			all = append(all, traffic(t, f)[name]...)
		}
		a, b := f.addrs()
		for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
			for _, tr := range []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, {Protocol: ipsec.ESP, Cipher: "aes128-gmac"}, {Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "hmac-sha1-96"}} {
				seal := sealer(t, tr, mode, a, b, 0x4711)
				for _, p := range traffic(t, f)["datagrams"] {
					sealed := seal(p)
					all = append(all, sealed, f.udp(t, 4500, 4500, string(espOf(sealed))), f.packet(t, layers.IPProtocolAH, payload(string(ahAround(50, 12, espOf(sealed))))))
				}
			}
		}
	}
	return all
}

// FuzzObserve shows all instruments the same packets, three of them cut out of the input, again and
// again, as they are and in other places: nothing panics, and each packet is counted once.
func FuzzObserve(f *testing.F) {
	for _, p := range seeds(f) {
		f.Add(p, uint16(len(p)), uint16(0), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut, from uint16, times uint8) {
		ids := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true, CheckBits: 16})
		class := observe.NewClassifier(observe.Classes{{Name: "web", Match: observe.Match{Port: 80}}})
		books, probe := newBooks(observe.AccountingConfig{Cache: 2}), observe.NewProbe()
		q, err := fair.New(fair.Config{Rate: 1000, Threshold: 3, Limit: 5})
		require.NoError(t, err)
		parts := [][]byte{b, b[:min(int(cut), len(b))], b[min(int(from), len(b)):]}
		now := time.Duration(0)
		number, waiting := uint64(0), 0
		for i := range int(times%32) + 1 {
			for _, p := range parts {
				now += time.Duration(cut) * time.Millisecond
				for _, o := range []observe.Instrument{ids, class, books, probe} {
					o.Observe(now, p)
				}
				if len(p) > 0 {
					number++
					waiting += 1 - len(q.Enqueue(now, p, number))
				}
			}
			if _, ok := q.Dequeue(now); ok {
				waiting--
			} else {
				require.Zero(t, waiting)
			}
			require.LessOrEqual(t, waiting, 5, i)
		}
		n := ids.Notes(now)
		total := n.Total()
		require.Equal(t, total.Packets, n.Read.Packets+n.Unsure.Packets+n.Opaque.Packets)
		require.Equal(t, total.Bytes, n.Read.Bytes+n.Unsure.Bytes+n.Opaque.Bytes)
		for _, o := range []observe.Instrument{class, books, probe} {
			require.Equal(t, total, o.Notes(now).Total(), "%T", o)
		}
	})
}

// FuzzStreams cuts a text into segments, which come in any order, and again: what stands in
// it is found as often as it is there, if all of it came.
func FuzzStreams(f *testing.F) {
	f.Add([]byte("the secret, and another secret"), []byte{3, 9, 1, 0, 12, 5}, uint32(0xfffffff0))
	f.Add([]byte("secretsecretsecret"), []byte{255, 255, 0, 1, 2, 3}, uint32(7))
	f.Fuzz(func(t *testing.T, text, cuts []byte, isn uint32) {
		if len(text) == 0 || len(text) > 2000 {
			return
		}
		d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
		segment := func(at, end int) {
			d.Observe(0, families[0].tcp(t, tcp(1000, 80, isn+1+uint32(at), "A"), string(text[at:end])))
		}
		d.Observe(0, families[0].tcp(t, tcp(1000, 80, isn, "S"), ""))
		for i := 0; i+1 < len(cuts) && i < 64; i += 2 {
			at := int(cuts[i]) * len(text) / 256
			segment(at, min(at+int(cuts[i+1])+1, len(text)))
		}
		segment(0, len(text)) // whatever is missing comes
		want := uint64(0)
		for i := range text {
			if i+6 <= len(text) && string(text[i:i+6]) == "secret" {
				want++
			}
		}
		require.Equal(t, want, d.found())
	})
}
