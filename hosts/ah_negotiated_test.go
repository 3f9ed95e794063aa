package hosts_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// ahFrame is the AH of an Ethernet frame with a whole IP packet behind a header
// without options; nil for other frames.
func ahFrame(f []byte) []byte {
	switch {
	case len(f) > 14+20+24 && f[12] == 8 && f[13] == 0 && f[14] == 0x45 && f[23] == 51:
		return f[34:]
	case len(f) > 14+40+24 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 51:
		return f[54:]
	}
	return nil
}

// Hosts negotiate AH, alone and around ESP, over both families. An observer sees
// AH and nothing else but IKE, and ESP in it where it was asked for; all bytes
// arrive. What an attacker changed on the way is dropped.
func TestNegotiatedAH(t *testing.T) {
	families := map[string]struct{ alice, bob netip.Prefix }{
		"IPv4": {netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24)},
		"IPv6": {netip.PrefixFrom(alice6, 64), netip.PrefixFrom(bob6, 64)},
	}
	for method, inside := range map[string]uint8{
		"AH[SHA1]":                   ipsec.ProtoTCP,
		"AH[SHA256]":                 ipsec.ProtoTCP,
		"AH[SHA1]+ESP[3DES,None]":    ipsec.ProtoESP,
		"AH[SHA256]+ESP[AES128,MD5]": ipsec.ProtoESP,
	} {
		for family, ends := range families {
			t.Run(family+" "+method, func(t *testing.T) { negotiateAH(t, method, inside, ends.alice, ends.bob) })
		}
	}
}

func negotiateAH(t *testing.T, method string, inside uint8, alice, bob netip.Prefix) {
	proposal, err := policy.ParseSecurityMethod(method)
	require.NoError(t, err)
	protect := func(peer netip.Addr) *policy.Policy {
		p := require3DES(peer, "secret")
		p.Rules[0].Action.Methods = []ipsec.Proposal{proposal}
		return p
	}
	b := newBenchAt(t, alice, bob, protect(bob.Addr()), protect(alice.Addr()), hosts.Faults{})
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bob.Addr(), 80), Request: 100_000, Response: 20_000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	require.Equal(t, int64(100_000), tcp.Seen().Bytes)
	protected := 0
	var toBob []byte // the first AH frame from Alice
	for _, f := range b.frames {
		flow, err := esp.FlowOf(f[14:])
		if err != nil || flow.Dst.IsMulticast() || flow.Proto == ipsec.ProtoICMPv6 && flow.ICMPType >= 133 {
			continue // address resolution
		}
		ah := ahFrame(f)
		if ah == nil {
			require.EqualValues(t, ipsec.ProtoUDP, flow.Proto, "%v", flow)
			require.EqualValues(t, 500, flow.DstPort, "%v", flow)
			continue
		}
		require.Equal(t, inside, ah[0], "what AH says that follows")
		if protected++; toBob == nil && flow.Dst == bob.Addr() {
			toBob = f
		}
	}
	require.Greater(t, protected, 100)
	require.Len(t, b.alice.SAs(), 2*len(proposal.Transforms))
	require.Len(t, b.bob.SAs(), 2*len(proposal.Transforms))

	// A frame of the past with a number of the future, and then with the last byte changed, too.
	before := b.bob.Counters()
	mac := sim.MACFor("attacker", "lan")
	port, err := b.segment.Attach(sim.PortConfig{Node: "attacker", MAC: mac, Receive: func([]byte) {}})
	require.NoError(t, err)
	number := binary.BigEndian.Uint32(ahFrame(toBob)[8:])
	b.on(b.alice, func(p *sim.Proc) {
		for i, change := range []func(frame, ah []byte){
			func(_, _ []byte) {}, // a replay
			func(_, ah []byte) { binary.BigEndian.PutUint32(ah[8:], number+10_000) },
			func(frame, ah []byte) {
				binary.BigEndian.PutUint32(ah[8:], number+10_001)
				frame[len(frame)-1] ^= 1
			},
			func(frame, ah []byte) {
				binary.BigEndian.PutUint32(ah[8:], number+10_002)
				if ip := frame[14:]; bob.Addr().Is6() {
					ip[23] += 2 // of the source address
				} else {
					ip[15] += 2
					binary.BigEndian.PutUint16(ip[10:], binary.BigEndian.Uint16(ip[10:])-2) // the header checksum agrees
				}
			},
		} {
			forged := bytes.Clone(toBob)
			copy(forged[6:], mac[:])
			change(forged, ahFrame(forged))
			port.Send(forged, "forged")
			p.Sleep(time.Duration(i+1) * time.Millisecond)
		}
		p.Sleep(time.Second)
	})
	after := b.bob.Counters()
	require.Equal(t, before.PacketsOpened, after.PacketsOpened, "nothing of it is opened")
	require.Equal(t, before.Replayed+1, after.Replayed)
	require.Equal(t, before.NotAuthenticated+3, after.NotAuthenticated)
	require.Equal(t, int64(100_000), tcp.Seen().Bytes)
}
