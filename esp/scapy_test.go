package esp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// scapyJob is one line of testdata/scapy_ipsec.py's input.
type scapyJob struct {
	Do     string       `json:"do"` // seal or open
	Layers []scapyLayer `json:"layers"`
	Tunnel string       `json:"tunnel"` // outer header to begin with; empty: transport mode
	UDP    [2]uint16    `json:"udp"`    // ports of encapsulation; 0: none
	Packet string       `json:"packet"`
}

type scapyLayer struct {
	Protocol  string `json:"protocol"`
	Cipher    string `json:"cipher"`
	CipherKey string `json:"cipher_key"`
	Auth      string `json:"auth"`
	AuthKey   string `json:"auth_key"`
	SPI       uint32 `json:"spi"`
	Seq       uint64 `json:"seq"`
	IV        string `json:"iv"`
	ESN       bool   `json:"esn"`
}

// scapyRun collects jobs and what scapy should answer.
type scapyRun struct {
	jobs  bytes.Buffer
	wants []scapyWant
}

type scapyWant struct {
	what string
	want []byte
}

func (r *scapyRun) add(t *testing.T, what string, j scapyJob, packet, want []byte) {
	j.Packet = hex.EncodeToString(packet)
	require.NoError(t, json.NewEncoder(&r.jobs).Encode(j))
	r.wants = append(r.wants, scapyWant{what, want})
}

// check runs scapy and compares.
func (r *scapyRun) check(t *testing.T, python string) {
	cmd := exec.Command(python, "testdata/scapy_ipsec.py")
	cmd.Stdin = &r.jobs
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for _, w := range r.wants {
		require.True(t, lines.Scan(), "%s: %s", w.what, complaints.String())
		require.Equal(t, hex.EncodeToString(w.want), lines.Text(), w.what)
	}
	require.False(t, lines.Scan(), "no answer is left over")
}

// layersOf describes SAs, innermost first, and the packet that they made to scapy.
func layersOf(sas []ipsec.SAParams, d Decision) (layers []scapyLayer) {
	sealed, _ := parsed(d.Packet)
	at := sealed.headerLen + encapsulation(sas[len(sas)-1].UDP)
	applied := []Layer{d.Layer, d.Inner}
	for i := len(sas) - 1; i >= 0; i-- {
		p := sas[i]
		l := scapyLayer{
			Protocol: p.Protocol.String(), Cipher: p.Transform.Cipher, CipherKey: hex.EncodeToString(p.CipherKey),
			Auth: p.Transform.Auth, AuthKey: hex.EncodeToString(p.AuthKey), SPI: p.SPI, Seq: applied[len(sas)-1-i].Sequence, ESN: p.Transform.ESN,
		}
		layout, _, _, _ := layoutOf(p.Transform, p.Dst)
		l.IV = hex.EncodeToString(d.Packet[at+layout.front : at+layout.front+layout.iv])
		at += layout.head
		layers = append([]scapyLayer{l}, layers...)
	}
	return layers
}

// Whole packets of every suite, of AH with every MAC and of bundles, in both
// modes and both families, against an independent implementation: given IVs and
// outer header, scapy seals the same bytes, and it opens ours; and we open them.
func TestAgainstScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")
	var run scapyRun
	for _, transforms := range everyProtection() {
		for outerName, outer := range families {
			sizes := []int{0, 1, 6, 7, 8, 14, 16, 1400}
			if first := transforms[0]; first.Auth != "" && first.Auth != "hmac-sha1-96" {
				sizes = []int{7, 100} // no other padding than that of another suite
			}
			out, in := bundled(transforms, ipsec.Transport, outer.a, outer.b, 0x5000, 0x6000)
			run.roundTrips(t, "transport "+outerName+" "+named(transforms), outer, out, in, sizes)
			for innerName, inner := range families {
				out, in := bundled(transforms, ipsec.Tunnel, outer.a, outer.b, 0x5000, 0x6000)
				for i := range out {
					out[i].Selector, in[i].Selector = between(inner.a, inner.b), between(inner.a, inner.b)
				}
				run.roundTrips(t, innerName+" in "+outerName+" "+named(transforms), inner, out, in, []int{7, 100})
			}
		}
	}
	run.check(t, python)
}

func (r *scapyRun) roundTrips(t *testing.T, what string, e ends, out, in []ipsec.SAParams, sizes []int) {
	a, b := tunnelled(t, Config{}, out, in)
	for _, n := range sizes {
		// Scapy trusts no UDP checksum, and none is there: 0 says so (RFC 768).
		clear := e.packet(ipsec.ProtoUDP, udp(1000, 2000, n))
		d := a.Outbound(start, clear, 0)
		require.Equal(t, Protected, d.Outcome, d.Why)
		o := b.InboundProtected(start, d.Packet)
		require.Equal(t, Opened, o.Outcome, o.Why)
		require.Equal(t, clear, o.Packet)
		j := scapyJob{Layers: layersOf(out, d), UDP: [2]uint16{out[0].UDP.Src, out[0].UDP.Dst}}
		if out[0].Mode == ipsec.Tunnel {
			j.Tunnel = hex.EncodeToString(d.Packet[:headerOf(out[0].Dst)])
		}
		j.Do = "seal"
		r.add(t, what+": scapy seals", j, clear, d.Packet)
		j.Do = "open"
		r.add(t, what+": scapy opens ours", j, d.Packet, clear)
	}
}

// Extension headers: scapy, too, leaves hop-by-hop options and routing headers in
// front, and protects the options for the end behind one. It takes a routing header
// for one that has all stops to make.
func TestExtensionHeadersAgainstScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")
	var run scapyRun
	hop, last := netip.MustParseAddr("2001:db8:8::8"), netip.MustParseAddr("2001:db8:9::9")
	data := udp(1000, 2000, 40)
	for name, exts := range map[string][]ext{
		"options that may change":     {hopByHop(0x3e, 2, 7, 7, 0x1e, 2, 7, 7), destination(0x3f, 4, 7, 7, 7, 7, 1, 2, 0, 0), routing(0, 1, carol6)},
		"options for the end":         {hopByHop(), routing(0, 1, carol6), destination(0x3e, 2, 7, 7)},
		"a source route":              {routing(0, 1, last)},
		"a source route of two stops": {destination(0x3e, 2, 7, 7), routing(0, 2, hop, last)},
	} {
		for _, tr := range []ipsec.Transform{espNull, {Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}, ahSHA1, {Protocol: ipsec.AH, Auth: "hmac-sha256-128"}} {
			out, _ := params(tr, alice6, bob6, 0x5000, 0x6000)
			a, _ := tunnelled(t, Config{}, []ipsec.SAParams{out}, nil)
			clear := ip6(alice6, bob6, ipsec.ProtoUDP, data, exts...)
			d := a.Outbound(start, clear, 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			run.add(t, name+", "+tr.String()+": scapy seals", scapyJob{Do: "seal", Layers: layersOf([]ipsec.SAParams{out}, d)}, clear, d.Packet)
		}
	}
	run.check(t, python)
}

// What AH takes as zero, against scapy: every option of RFC 4302's table and one
// that it does not know, TOS, DF and TTL. Scapy does not know that a source route
// changes the destination; so it gets the packet with the final one.
func TestMutableFieldsAgainstScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")
	var run scapyRun
	dave := netip.MustParseAddr("10.0.9.9")
	for _, options := range []string{
		"", "01010100", "94040000", "820b 00000000000000000000", "85040101 00000000", "8606 00000001 00 00", "9506 0a000003 0000",
		"070704 00000000 00", "440c0500 0000000000000000", "520c0000 0000000000000000", "de04 1234", "94040000 07070400000000 00",
		"01 070704 00000000 94040000 00000000",
	} {
		for _, field := range []uint16{0, dontFragment} {
			checkMutable(t, &run, unhex(t, options), field, bob)
		}
	}
	hop := bob.As4()
	last := dave.As4()
	for _, route := range []string{"83", "89"} {
		toGo := append(unhex(t, route+"0b04"), append(hop[:], last[:]...)...)
		checkMutable(t, &run, append(toGo, 0), 0, dave)
		done := append(unhex(t, route+"0b0c"), append(last[:], hop[:]...)...)
		checkMutable(t, &run, append(done, 0), 0, bob)
	}
	run.check(t, python)
}

func checkMutable(t *testing.T, run *scapyRun, options []byte, field uint16, final netip.Addr) {
	out, _ := params(ahSHA1, alice, bob, 0x1000, 0x2000)
	s, err := newSA(out, Config{}, nil, start)
	require.NoError(t, err)
	sealTo := func(dst netip.Addr) []byte {
		d, bad := parsed(flagged(ip(alice, dst, ipsec.ProtoUDP, udp(1, 2, 5), options...), field))
		require.Empty(t, bad)
		require.Empty(t, d.uncoverable(), "%x", options)
		sealed := make([]byte, s.protectedSize(d))
		s.sequence = 0
		s.seal(sealed, d)
		return sealed
	}
	ours := sealTo(bob)
	clear := flagged(ip(alice, final, ipsec.ProtoUDP, udp(1, 2, 5), options...), field)
	j := scapyJob{Do: "seal", Layers: layersOf([]ipsec.SAParams{out}, Decision{Packet: ours, Layer: Layer{ipsec.AH, 0x1000, 1}})}
	want := bytes.Clone(ours)
	copy(want[16:20], final.AsSlice())
	finishIPv4(want, want, 20+len(options), ipsec.ProtoAH)
	run.add(t, "options "+hex.EncodeToString(options), j, clear, want)
}
