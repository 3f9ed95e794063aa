package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// A scan tells open, refused and silent ports apart by what answers: of TCP and UDP, in
// the clear and under ESP, in either family, and through filters.
func TestScan(t *testing.T) {
	closed := func(ports ...uint16) *policy.Policy {
		p := &policy.Policy{Name: "closed"}
		for _, port := range ports {
			for _, proto := range []uint8{ipsec.ProtoTCP, ipsec.ProtoUDP} {
				p.Rules = append(p.Rules, policy.Rule{
					Name: ipsec.ProtoName(proto) + string(rune('a'+port%26)),
					Filters: policy.FilterList{Name: "l", Filters: []policy.Filter{
						{Source: policy.Any(), Destination: policy.Me(), Protocol: proto, DestinationPort: port, Mirrored: true},
					}},
					Action: policy.FilterAction{Name: "block", Kind: policy.Block},
				})
			}
		}
		return p
	}
	for _, c := range []struct {
		name  string
		bench *bench
		to    netip.Addr
		udp   bool
		want  hosts.Scanned
	}{
		{"TCP", newBench(t, nil, nil, hosts.Faults{}), bobAddr, false, hosts.Scanned{Open: []uint16{22, 24}, Refused: []uint16{20, 21, 23, 25}}},
		{"UDP", newBench(t, nil, nil, hosts.Faults{}), bobAddr, true, hosts.Scanned{Open: []uint16{23}, Refused: []uint16{20, 21, 22, 24, 25}}},
		{"TCP through filters", newBench(t, nil, closed(21, 22), hosts.Faults{}), bobAddr, false,
			hosts.Scanned{Open: []uint16{24}, Refused: []uint16{20, 23, 25}, Silent: []uint16{21, 22}}},
		{"UDP through filters", newBench(t, nil, closed(20, 23), hosts.Faults{}), bobAddr, true,
			hosts.Scanned{Refused: []uint16{21, 22, 24, 25}, Silent: []uint16{20, 23}}},
		{"TCP under ESP", newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{}), bobAddr, false,
			hosts.Scanned{Open: []uint16{22, 24}, Refused: []uint16{20, 21, 23, 25}}},
		{"nobody there", newBench(t, nil, nil, hosts.Faults{}), netip.MustParseAddr("10.0.0.77"), false,
			hosts.Scanned{Silent: []uint16{20, 21, 22, 23, 24, 25}}},
	} {
		b := c.bench
		for _, port := range []uint16{22, 24} {
			_, err := b.bob.ServeTCP(port)
			require.NoError(t, err)
		}
		_, err := b.bob.ServeUDP(23)
		require.NoError(t, err)
		for _, together := range []int{1, 4} {
			b.on(b.alice, func(p *sim.Proc) {
				begin := p.Now()
				// Only the last packet to a destination waits for a negotiation: let there be SAs.
				_, err := b.alice.Scan(p, hosts.Scan{To: c.to, UDP: c.udp, First: 19, Last: 19, Timeout: 5 * time.Second})
				require.NoError(t, err, c.name)
				got, err := b.alice.Scan(p, hosts.Scan{To: c.to, UDP: c.udp, First: 20, Last: 25, InFlight: together, Timeout: 900 * time.Millisecond})
				require.NoError(t, err, c.name)
				require.Equal(t, c.want, got, c.name)
				require.Less(t, p.Now()-begin, 15*time.Second, c.name)
			})
		}
	}
}
