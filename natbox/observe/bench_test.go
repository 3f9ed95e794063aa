package observe_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/natbox/fair"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

// instruments are one of each, as new.
func instruments(t testing.TB) map[string]func() observe.Instrument {
	var classes observe.Classes
	for port := range 10 {
		classes = append(classes, observe.Class{Name: fmt.Sprint(port), Match: observe.Match{Proto: 17, Port: uint16(port + 1)}})
	}
	ten := []observe.Pattern{}
	for i := range 10 {
		ten = append(ten, observe.Pattern{Name: fmt.Sprint(i), Bytes: []byte(fmt.Sprintf("secret number %d", i))})
	}
	inspector := func(p []observe.Pattern, null bool) func() observe.Instrument {
		return func() observe.Instrument {
			n, err := observe.NewInspector(observe.InspectorConfig{Patterns: p, ESPNull: null})
			require.NoError(t, err)
			return n
		}
	}
	return map[string]func() observe.Instrument{
		"inspector-1-pattern": inspector(ten[:1], true), "inspector-10-patterns": inspector(ten, true),
		"classifier-10-classes": func() observe.Instrument { return observe.NewClassifier(classes) },
		"accounting":            func() observe.Instrument { return observe.NewAccounting(observe.AccountingConfig{}) },
		"probe":                 func() observe.Instrument { return observe.NewProbe() },
	}
}

// BenchmarkObserve is what one packet of 1,000 bytes of payload costs each instrument.
func BenchmarkObserve(b *testing.B) {
	f := families[0]
	data := string(newNoise(7).bytes(1000))
	src, dst := f.addrs()
	datagram := f.udp(b, 5000, 53, data)
	kinds := map[string]func(i int) []byte{
		"udp": func(int) []byte { return datagram },
	}
	segment := f.tcp(b, tcp(40000, 445, 0, "A"), data)
	kinds["tcp"] = func(i int) []byte {
		binary.BigEndian.PutUint32(segment[24:], uint32(i*1000))
		return segment
	}
	for name, tr := range map[string]ipsec.Transform{
		"esp-null": {Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, "esp": {Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "hmac-sha1-96"},
	} {
		sealed := sealer(b, tr, ipsec.Transport, src, dst, 0x4711)(datagram)
		kinds[name] = func(int) []byte { return sealed }
	}
	for name, make := range instruments(b) {
		for kind, packet := range kinds {
			b.Run(name+"/"+kind, func(b *testing.B) {
				o := make()
				for i := range b.N {
					o.Observe(time.Duration(i), packet(i))
				}
			})
		}
	}
}

// BenchmarkAccountingFlows has as many flows as the cache holds, and twice as many.
func BenchmarkAccountingFlows(b *testing.B) {
	for _, flows := range []int{100, 4096, 8192} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			a := observe.NewAccounting(observe.AccountingConfig{})
			p := families[0].udp(b, 5000, 53, "data")
			b.ResetTimer()
			for i := range b.N {
				binary.BigEndian.PutUint16(p[20:], uint16(i%flows))
				a.Observe(0, p)
			}
		})
	}
}

// BenchmarkHeuristics is the first packet of a flow of ESP.
func BenchmarkHeuristics(b *testing.B) {
	n, err := observe.NewInspector(observe.InspectorConfig{Patterns: secret(), ESPNull: true})
	require.NoError(b, err)
	p := noisyESP(0, newNoise(3), 1008)
	for i := range b.N {
		binary.BigEndian.PutUint32(p[20:], uint32(i+256))
		n.Observe(0, p)
	}
}

// BenchmarkFairQueue puts packets into a queue with half a hundred waiting, and takes as many out.
func BenchmarkFairQueue(b *testing.B) {
	for _, flows := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			q, err := fair.New(fair.Config{Rate: 1_000_000})
			require.NoError(b, err)
			p := families[0].udp(b, 5000, 53, "data")
			put := func(i int) {
				binary.BigEndian.PutUint16(p[20:], uint16(i%flows))
				q.Enqueue(0, p, uint64(i))
			}
			for i := range 50 {
				put(i)
			}
			b.ResetTimer()
			for i := range b.N {
				put(i + 50)
				q.Dequeue(0)
			}
		})
	}
}
