package esp

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func TestFlowOfIPv6(t *testing.T) {
	plain := ipsec.Flow{Src: alice6, Dst: bob6, Proto: 17, SrcPort: 1000, DstPort: 2000}
	data := udp(1000, 2000, 4)
	flow := func(change func(*ipsec.Flow)) ipsec.Flow {
		f := plain
		change(&f)
		return f
	}
	hidden := func(proto uint8) ipsec.Flow {
		return ipsec.Flow{Src: alice6, Dst: bob6, Proto: proto, Fragment: true}
	}
	for _, c := range []struct {
		name   string
		packet []byte
		want   ipsec.Flow
	}{
		{"UDP", ip6(alice6, bob6, 17, data), plain},
		{"TCP", ip6(alice6, bob6, 6, data), flow(func(f *ipsec.Flow) { f.Proto = 6 })},
		{"behind each extension header", ip6(alice6, bob6, 17, data,
			hopByHop(5, 2, 0, 0), destination(), routing(0, 0, carol6), fragmentOf(0, false), destination(1, 4, 0, 0, 0, 0)), plain},
		{"behind the same one again and again", ip6(alice6, bob6, 17, data, destination(), destination(), destination()), plain},
		{"first fragment", ip6(alice6, bob6, 17, data, fragmentOf(0, true), destination()), plain},
		{"later fragment", ip6(alice6, bob6, 17, data, fragmentOf(1280, true)), hidden(17)},
		{"last fragment of two bytes", ip6(alice6, bob6, 6, data[:2], fragmentOf(1280, false)), hidden(6)},
		{"later fragment of what has more extension headers", ip6(alice6, bob6, extDestination, data, hopByHop(), fragmentOf(8, true)), hidden(ipsec.ProtoAny)},
		{"a fragment of a fragment", ip6(alice6, bob6, 17, data, fragmentOf(0, true), fragmentOf(8, false)), hidden(17)},
		{"echo request", ip6(alice6, bob6, 58, []byte{128, 0, 0, 0}), ipsec.Flow{Src: alice6, Dst: bob6, Proto: 58, ICMPType: 128}},
		{"ESP behind destination options", ip6(alice6, bob6, 50, data, destination()), ipsec.Flow{Src: alice6, Dst: bob6, Proto: 50}},
		{"AH", ip6(alice6, bob6, 51, data), ipsec.Flow{Src: alice6, Dst: bob6, Proto: 51}},
		{"nothing inside", ip6(alice6, bob6, 59, nil), ipsec.Flow{Src: alice6, Dst: bob6, Proto: 59}},
		{"an extension header that is not of RFC 8200", ip6(alice6, bob6, 135, data), ipsec.Flow{Src: alice6, Dst: bob6, Proto: 135}},
		{"padding of the frame", append(ip6(alice6, bob6, 17, data), 1, 2, 3), plain},
	} {
		f, err := FlowOf(c.packet)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, f, c.name)
	}
}

func TestMalformedIPv6(t *testing.T) {
	whole := ip6(alice6, bob6, 17, udp(1, 2, 4), hopByHop(), routing(0, 0, carol6), destination())
	n := newNode(t, Config{})
	for why, packets := range map[string][][]byte{
		"packet is shorter than an IPv6 header":          {whole[:39]},
		"packet is shorter than its IPv6 payload length": {whole[:40], whole[:len(whole)-1]},
		"packet ends within its IPv6 extension headers": {
			ip6(alice6, bob6, extDestination, nil), ip6(alice6, bob6, extDestination, make([]byte, 7)),
			ip6(alice6, bob6, extRouting, []byte{17, 1, 0, 0, 0, 0, 0, 0}), ip6(alice6, bob6, extFragment, make([]byte, 7), hopByHop()),
		},
		"IPv6 hop-by-hop options are not right behind the header": {ip6(alice6, bob6, 17, udp(1, 2, 4), destination(), hopByHop())},
		"packet ends before its ports":                            {ip6(alice6, bob6, 17, make([]byte, 3)), ip6(alice6, bob6, 6, nil, fragmentOf(0, true))},
		"packet ends before its ICMP type":                        {ip6(alice6, bob6, 58, nil)},
	} {
		for _, p := range packets {
			require.Equal(t, Decision{Outcome: Dropped, Why: why}, n.Outbound(start, p, 0))
			require.Equal(t, why == "packet ends before its ports" || why == "packet ends before its ICMP type",
				slices.Contains([]string{"neither an ESP nor an AH datagram", string(shortUDP)}, n.InboundProtected(start, p).Why))
			_, err := FlowOf(p)
			require.EqualError(t, err, "esp: "+why)
		}
	}
	for cut := range whole {
		p := bytes.Clone(whole[:cut])
		_, err := FlowOf(p)
		require.Error(t, err)
		if cut >= 40 {
			(&datagram{b: p, headerLen: 40, nextAt: 6}).finish(p, p[6])
			_, err = FlowOf(p)
			require.Equal(t, cut >= len(whole)-8, err == nil, "%d bytes", cut)
		}
	}
}
