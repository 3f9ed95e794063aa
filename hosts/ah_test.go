package hosts_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// keyed is a bench whose hosts protect everything between them with a security
// method, under SAs added by hand: SPIs 0x1000 and up from Alice to Bob, 0x2000
// and up back.
func keyed(t *testing.T, method string) *bench {
	t.Helper()
	p, err := policy.ParseSecurityMethod(method)
	require.NoError(t, err)
	protect := func(peer netip.Addr) *policy.Policy {
		q := require3DES(peer, "secret")
		q.Rules[0].Action.Methods = []ipsec.Proposal{p}
		return q
	}
	b := newBench(t, protect(bobAddr), protect(aliceAddr), hosts.Faults{})
	var fromAlice, fromBob []ipsec.SAParams
	for i, tr := range p.Transforms {
		sa := ipsec.SAParams{
			Direction: ipsec.Outbound, Protocol: tr.Protocol, SPI: 0x1000 + uint32(i), PeerSPI: 0x2000 + uint32(i), Src: aliceAddr, Dst: bobAddr,
			Mode: ipsec.Transport, Transform: tr, Selector: ipsec.Selector{Src: ipsec.Host(aliceAddr), Dst: ipsec.Host(bobAddr)}, Rule: "require/peer",
		}
		if c := suite.CipherNamed(tr.Cipher); c != nil {
			sa.CipherKey = []byte("a key that is long enough for all of them")[:c.KeyLen+c.SaltLen]
		}
		if a := suite.AuthNamed(tr.Auth); a != nil {
			sa.AuthKey = bytes.Repeat([]byte{7}, a.KeyLen)
		}
		back := sa
		back.Src, back.Dst, back.SPI, back.PeerSPI, back.Selector = sa.Dst, sa.Src, sa.PeerSPI, sa.SPI, sa.Selector.Reverse()
		if i > 0 {
			sa.Inner, back.Inner = sa.SPI-1, back.SPI-1
		}
		fromAlice, fromBob = append(fromAlice, sa), append(fromBob, back)
	}
	inbound := func(sas []ipsec.SAParams) (in []ipsec.SAParams) {
		for _, sa := range sas {
			sa.Direction = ipsec.Inbound
			in = append(in, sa)
		}
		return in
	}
	require.NoError(t, b.alice.AddSAs(append(inbound(fromBob), fromAlice...)...))
	require.NoError(t, b.bob.AddSAs(append(inbound(fromAlice), fromBob...)...))
	return b
}

// Applications notice nothing of AH and bundles; on the wire everything is AH,
// TCP segments fit from the first on, and large datagrams are fragmented.
func TestApplicationsUnderAH(t *testing.T) {
	for method, c := range map[string]struct {
		protocols, comment string
		mss                uint16
	}{
		"AH[SHA1]":               {"AH", `^protected: rule require/peer, AH SPI 0x00001000 sequence 1$`, 1500 - 40 - 24},
		"AH[MD5]+ESP[3DES,SHA1]": {"AH+ESP", `^protected: rule require/peer, AH SPI 0x00001001 sequence 1, ESP SPI 0x00001000 sequence 1$`, 1442 - 40},
		"AH[SHA1]+ESP[DES,None]": {"AH+ESP", `^protected: rule require/peer, AH SPI 0x00001001 sequence 1, ESP SPI 0x00001000 sequence 1$`, 1458 - 40},
		"AH[SHA512]+ESP[None,MD5]": {"AH+ESP", `^protected: rule require/peer, AH SPI 0x00001001 sequence 1, ESP SPI 0x00001000 sequence 1$`,
			1434 - 40},
	} {
		t.Run(method, func(t *testing.T) {
			b := keyed(t, method)
			var comment string
			b.world.Tap(func(f sim.Frame) {
				if comment == "" && len(f.Data) > 23 && f.Data[12] == 8 && f.Data[13] == 0 {
					comment = f.Comment
				}
			})
			tcp, err := b.bob.ServeTCP(80)
			require.NoError(t, err)
			b.on(b.alice, func(p *sim.Proc) {
				r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 300_000, Response: 1000, Timeout: time.Minute})
				require.Equal(t, "ok", r.Result(), "%v", r.Err)
				for _, size := range []int{32, 1472, 20_000} {
					r = b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: size, Timeout: time.Second})
					require.Equal(t, "ok", r.Result(), "%d bytes: %v", size, r.Err)
				}
			})
			require.Equal(t, int64(300_000), tcp.Seen().Bytes)
			require.Equal(t, []byte{51}, slicesOfKeys(b.protocols()), "nothing but AH")
			require.Regexp(t, c.comment, comment)
			var inner *trace.Inner
			for _, e := range b.log.Events() {
				if v, ok := e.Body.(trace.Inner); ok && inner == nil {
					inner = &v
				}
			}
			require.Equal(t, c.protocols, inner.Protocol)
			require.Equal(t, c.mss, mssOf(t, inner.Data), "the first segment offers what fits")
			require.Zero(t, b.bob.Counters().NotAuthenticated)
		})
	}
}

func slicesOfKeys(m map[byte]int) (keys []byte) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// mssOf is the MSS option of a connection request.
func mssOf(t *testing.T, packet []byte) uint16 {
	p := gopacket.NewPacket(packet, layers.LayerTypeIPv4, gopacket.Default)
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	require.True(t, ok)
	for _, o := range tcp.Options {
		if o.OptionType == layers.TCPOptionKindMSS {
			return binary.BigEndian.Uint16(o.OptionData)
		}
	}
	return 0
}

// A policy of AH and ESP together accepts neither alone: what an attacker peels
// off the AH of is dropped, and so is what was changed.
func TestPeeledBundleIsDropped(t *testing.T) {
	b := keyed(t, "AH[SHA1]+ESP[3DES,None]")
	var sealed []byte
	b.world.Tap(func(f sim.Frame) {
		if sealed == nil && len(f.Data) > 23 && f.Data[23] == 51 {
			sealed = bytes.Clone(f.Data)
		}
	})
	send := b.crafter()
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		header := &layers.IPv4{Version: 4, TTL: 64, Id: 9, Protocol: 50, SrcIP: net.IP(aliceAddr.AsSlice()), DstIP: net.IP(bobAddr.AsSlice())}
		send(header, gopacket.Payload(sealed[14+20+24:]))
		header.Protocol = 51
		forged := bytes.Clone(sealed[14+20:])
		forged[11]++ // another sequence number
		send(header, gopacket.Payload(forged))
		p.Sleep(time.Second)
	})
	c := b.bob.Counters()
	require.EqualValues(t, 1, c.PacketsOpened)
	require.EqualValues(t, 1, c.WrongSA)
	require.EqualValues(t, 1, c.NotAuthenticated)
	var reasons []string
	for _, e := range b.log.Events() {
		if d, ok := e.Body.(trace.PacketDropped); ok && e.Node == "bob" {
			reasons = append(reasons, d.Reason)
		}
	}
	require.Equal(t, []string{"its SA protects only inside AH, and the AH is missing", "not authentic: the integrity check failed"}, reasons)
}
