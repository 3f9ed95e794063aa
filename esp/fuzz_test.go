package esp

import (
	"bytes"
	"testing"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FuzzInboundProtected: whatever arrives, nothing panics, only a packet that the
// peer sealed opens, and it opens once.
func FuzzInboundProtected(f *testing.F) {
	var sealed [][]byte // by suite
	all := everyProtection()
	for i, tr := range all {
		a, _ := joined(f, Config{}, ipsec.Lifetime{}, tr...)
		p := a.Outbound(start, ip(alice, bob, 17, udp(1, 2, 20)), 0).Packet
		sealed = append(sealed, p)
		f.Add(byte(i), p)
		f.Add(byte(i), flagged(p, moreFragments))
		f.Add(byte(i), ip(alice, bob, p[9], p[20:], 1, 1, 1, 1))
		f.Add(byte(i), ip(alice, bob, 51, p[20:], 7, 7, 4, 0, 0, 0, 0, 0))
		f.Add(byte(i), p[:len(p)-1])
		f.Add(byte(i), p[:28])
	}
	f.Add(byte(0), []byte(nil))
	f.Fuzz(func(t *testing.T, i byte, packet []byte) {
		suite := int(i) % len(all)
		_, b := joined(t, Config{}, ipsec.Lifetime{}, all[suite]...)
		kept := bytes.Clone(packet)
		d := b.InboundProtected(start, packet)
		if !bytes.Equal(kept, packet) {
			t.Fatal("the packet was changed")
		}
		switch d.Outcome {
		case Opened:
			// AH covers the content, and not the flags of the header in front of it.
			if !bytes.Contains(packet, sealed[suite][20:]) {
				t.Fatalf("a packet opened that nobody sealed: %x", packet)
			}
			if again := b.InboundProtected(start, packet); again.Outcome != Dropped {
				t.Fatalf("a replayed packet was %v", again.Outcome)
			}
		case Dropped:
			if d.Packet != nil || d.Why == "" {
				t.Fatalf("dropped with a packet or without a reason: %+v", d)
			}
		default:
			t.Fatalf("a protected packet was %v", d.Outcome)
		}
	})
}

// FuzzFlowOf: what it accepts, the Pipeline can judge; nothing panics.
func FuzzFlowOf(f *testing.F) {
	for _, p := range [][]byte{
		nil, toBob(1, 2), ip(alice, bob, 6, udp(1000, 80, 20), 1, 1, 1, 0), ip(alice, bob, 1, []byte{8, 0, 0, 0}),
		flagged(toBob(1, 2), 100), flagged(toBob(1, 2), moreFragments), toBob(1, 2)[:22], ip(alice, bob, 17, nil),
		ip(alice, bob, 50, make([]byte, 40)),
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		flow, err := FlowOf(packet)
		n := newNode(t, Config{})
		n.SetPolicy(serverPolicy())
		d := n.Outbound(start, packet, 576)
		if err != nil {
			if (flow != ipsec.Flow{}) || d.Outcome != Dropped || "esp: "+d.Why != err.Error() {
				t.Fatalf("FlowOf says %v, Outbound %+v", err, d)
			}
			return
		}
		if !flow.Src.Is4() || !flow.Dst.Is4() || flow.Reverse().Reverse() != flow {
			t.Fatalf("not a flow: %+v", flow)
		}
		if d.Outcome != Passed && d.Outcome != Dropped && d.Outcome != Held {
			t.Fatalf("without SAs the outcome was %v", d.Outcome)
		}
		n.InboundClear(start, flow)
	})
}
