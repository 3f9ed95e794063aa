package scenarios_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Vendor IDs by MS-IKEE, product note 6: MD5 of the name, and the version of the first.
const (
	nt5Windows2000 = "1e2b516905991c7d7c96fcbfb587e46100000002"
	nt5WindowsXP   = "1e2b516905991c7d7c96fcbfb587e46100000003"
	nt5Server2003  = "1e2b516905991c7d7c96fcbfb587e46100000004" // XP sends it too from SP2 on: ike-scan 1.9.5, and a log of an XP SP2 client
	fragmentation  = "4048b7d56ebce88525e7de7f00d6c2d3"
	natT02         = "90cb80913ebb696e086381b5ec427b1f" // draft-ietf-ipsec-nat-t-ike-02 and a newline
	initialContact = "26244d38eddb61b3172a36e3d0cfb819" // Vid-Initial-Contact
)

// windowsOnTheWire is what each Windows sends, by the sources and not by the data of the profiles.
// The order is that of the log of an XP SP2 client. GSSAPI is left out, which goes with Kerberos, and
// NLBS_PRESENT, which nodes of a cluster send. Which of them support what: MS-IKEE, product notes 2, 4 and 5.
var windowsOnTheWire = []struct {
	system         string
	first, second  []string // vendor IDs of messages 1 and 2
	gaps           string   // ike-scan 1.9.5, back-off patterns, which are of message 2; seconds
	uncertainFirst bool     // the first gap was from 0.5 to 1.5 s
}{
	{"windows-2000-sp1", []string{nt5Windows2000}, []string{nt5Windows2000}, "1 2 4 8 16 32", false},
	{"windows-2000-sp2", []string{nt5Windows2000}, []string{nt5Windows2000}, "1 2 4 8 16 32", false},
	{"windows-2000-sp3", []string{nt5Windows2000}, []string{nt5Windows2000}, "1 2 4 8 16 32", false},
	{"windows-2000-sp4", []string{nt5Windows2000}, []string{nt5Windows2000}, "1 2 4 8 16 32", false},
	{"windows-2000-sp4-rollup", []string{nt5Windows2000, fragmentation, natT02}, []string{nt5Windows2000, fragmentation, natT02}, "1 2 4 8 16 32", false},
	{"windows-2000-sp4-natt-update", []string{nt5Windows2000, natT02}, []string{nt5Windows2000, natT02}, "1 2 4 8 16 32", false},
	{"windows-xp", []string{nt5WindowsXP}, []string{nt5WindowsXP}, "1 2 4 8 16 32", false},
	{"windows-xp-sp1", []string{nt5WindowsXP}, []string{nt5WindowsXP}, "1 2 4 8 16 32", false},
	{"windows-xp-sp1-natt-update", []string{nt5WindowsXP, natT02}, []string{nt5WindowsXP, natT02}, "1 2 4 8 16 32", false},
	{"windows-xp-sp2", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", false},
	{"windows-xp-home", []string{nt5WindowsXP}, []string{nt5WindowsXP}, "1 2 4 8 16 32", false},
	{"windows-xp-home-sp1", []string{nt5WindowsXP}, []string{nt5WindowsXP}, "1 2 4 8 16 32", false},
	{"windows-xp-home-sp2", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", false},
	{"windows-xp-sp2-policy-update", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", false},
	{"windows-2003", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
	{"windows-2003-sp1", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
	{"windows-2003-sp2", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
	{"windows-2003-sp1-policy-update", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
	{"windows-2003-sp2-policy-update", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
	{"isa-server-2004", []string{nt5Server2003, fragmentation, natT02, initialContact}, []string{nt5Server2003, fragmentation, natT02}, "1 2 4 8 16 32", true},
}

// frame is an IKE message in the clear, as a reader of a capture sees it.
type frame struct {
	at       time.Duration
	from     string
	cookies  [2]string
	vendors  []string
	length   int // of the UDP payload
	mainMode bool
}

// The table is compared with frames of the virtual wire, as tshark reads them, and as the lab's own
// decoder does.
func TestWindowsOnTheWire(t *testing.T) {
	var listed []string
	for _, w := range windowsOnTheWire {
		listed = append(listed, w.system)
	}
	for _, p := range profile.All() {
		if p.Group == "windows" && p.IPsec {
			require.Contains(t, listed, p.Name, "each Windows that knows IPsec is in the table")
		}
	}
	for _, w := range windowsOnTheWire {
		t.Run(w.system, func(t *testing.T) {
			t.Parallel()
			asks, answers := capture(t, asking(t, w.system)), capture(t, answering(t, w.system, nil))
			for name, read := range readers {
				t.Run(name, func(t *testing.T) {
					first := asked(t, read(t, asks))
					second, _ := answered(t, read(t, answers))
					require.Equal(t, w.first, first[0].vendors, "message 1")
					require.Equal(t, w.second, second[0].vendors, "message 2")
					for role, frames := range map[string][]frame{"initiator": first, "responder": second} {
						gaps := gapsOf(frames)
						if w.uncertainFirst {
							require.GreaterOrEqual(t, gaps[0], 0.5, role)
							require.LessOrEqual(t, gaps[0], 1.5, role)
							gaps[0] = 1
						}
						require.Equal(t, w.gaps, strings.Trim(fmt.Sprint(gaps), "[]"), role)
					}
				})
			}
		})
	}
}

// Vid-Initial-Contact goes with the first main mode with a peer, also after both have let theirs go.
func TestVidInitialContactIsOfTheFirstMainMode(t *testing.T) {
	s := systemsOf(t, "windows-2003", "windows-2003")
	again := s.Steps[0]
	again.Connect = &spec.Connect{From: "server", To: "client", Port: 443}
	again.Expect = nil
	n := s.Nodes["client"]
	n.Serves = []spec.Service{{TCP: 443}}
	s.Nodes["client"] = n
	s.Steps = append(s.Steps, spec.Step{AssignPolicy: &spec.AssignPolicy{Host: "client", Policy: "none"}}, spec.Step{AssignPolicy: &spec.AssignPolicy{Host: "client", Policy: "client"}}, again)
	frames := readOurselves(t, capture(t, s))
	var first []frame
	for _, f := range frames {
		if f.mainMode && f.cookies[1] == none && len(f.vendors) > 0 {
			first = append(first, f)
		}
	}
	require.NotEmpty(t, first)
	for _, f := range first {
		require.Contains(t, f.vendors, initialContact, "nobody has a main mode with the other when it starts one")
	}
}

// A responder's answers to one message 1 with a forged source, against the bytes of that: how much an
// attacker gains by it. It is the number of sendings, since message 2 is about as long as message 1.
func TestAmplification(t *testing.T) {
	active := func(s *spec.IPsec) { s.DoSProtection = spec.DoSActive }
	silent := func(s *spec.IPsec) { s.SilentResponder = true }
	for _, row := range []struct {
		system string
		change func(*spec.IPsec)
		sent   int     // messages
		most   float64 // bytes out for one in
	}{
		// Sendings: the gaps of ike-scan 1.9.5 and the first.
		{"windows-2000-sp4", nil, 7, 7},
		{"windows-xp-sp2", nil, 7, 7},
		{"windows-2003", nil, 7, 7},
		{"windows-2003", silent, 1, 1},
		{"windows-2003", active, 1, 0.5},
		{"solaris-10", nil, 6, 6},
		{"aix", nil, 8, 8},
		{"freeswan", nil, 3, 3},
		{"isakmpd", nil, 6, 6},
		{"racoon", nil, 6, 6},
		{"hp-ux", nil, 7, 7}, // of the lab
	} {
		frames, in := answered(t, readOurselves(t, capture(t, answering(t, row.system, row.change))))
		require.Len(t, frames, row.sent, row.system)
		out := 0
		for _, f := range frames {
			out += f.length
		}
		factor := float64(out) / float64(in)
		t.Logf("%s: %d bytes for %d: %.2f", row.system, out, in, factor)
		require.LessOrEqual(t, factor, row.most, row.system)
	}
}

const none = "0000000000000000"

func systemsOf(t *testing.T, client, server string) *spec.Scenario {
	one, ok := profile.Named(client)
	require.True(t, ok)
	other, ok := profile.Named(server)
	require.True(t, ok)
	return systems(one, other)
}

// asking has a system start a main mode that nobody answers.
func asking(t *testing.T, system string) *spec.Scenario {
	s := systemsOf(t, system, "windows-2003")
	s.Steps[0].Expect = nil
	s.Steps = []spec.Step{swallow("server"), s.Steps[0], {Wait: spec.Duration(25 * time.Minute)}}
	return s
}

// asked are the sendings of its message 1.
func asked(t *testing.T, frames []frame) (sent []frame) {
	for _, f := range frames {
		if f.from == "192.0.2.1" && f.mainMode && (len(sent) == 0 || f.cookies == sent[0].cookies) {
			sent = append(sent, f)
		}
	}
	require.NotEmpty(t, sent)
	return sent
}

// answering has an attacker send message 1 to a system, in the name of one who does not go on.
func answering(t *testing.T, system string, change func(*spec.IPsec)) *spec.Scenario {
	s := systemsOf(t, "windows-2003", system)
	n := s.Nodes["server"]
	n.IPsec = &spec.IPsec{}
	if change != nil {
		change(n.IPsec)
	}
	s.Nodes["server"] = n
	s.Nodes["mallory"] = spec.Node{Type: spec.TypeAttacker, Interfaces: []spec.Interface{{Segment: "lan"}}}
	s.Steps = append(s.Steps, swallow("client"),
		spec.Step{Spoof: &spec.Spoof{By: "mallory", As: "client", To: "server", Message: "ike-main-mode"}}, spec.Step{Wait: spec.Duration(25 * time.Minute)})
	return s
}

// answered are its answers, and the length of the attacker's message.
func answered(t *testing.T, frames []frame) (answers []frame, in int) {
	forged := -1
	for i, f := range frames {
		if f.mainMode && f.from == "192.0.2.1" && f.cookies[1] == none {
			forged = i // the last one
		}
	}
	require.GreaterOrEqual(t, forged, 0)
	for _, f := range frames[forged+1:] {
		if f.from == "192.0.2.2" && f.cookies[0] == frames[forged].cookies[0] {
			answers = append(answers, f)
		}
	}
	require.NotEmpty(t, answers)
	return answers, frames[forged].length
}

// swallow is a firewall in front of a host that lets no IKE through.
func swallow(host string) spec.Step {
	var hole spec.Blackhole
	hole.Protocol, hole.Port = "udp", 500
	return spec.Step{SetLink: &spec.SetLink{Node: host, Link: spec.Link{Impairments: spec.Impairments{Blackholes: []spec.Blackhole{hole}}}}}
}

// gapsOf are the times between frames in seconds.
func gapsOf(frames []frame) (gaps []float64) {
	for i := 1; i < len(frames); i++ {
		gaps = append(gaps, (frames[i].at - frames[i-1].at).Round(time.Millisecond).Seconds())
	}
	return gaps
}

// capture runs a scenario and returns the file of its capture.
func capture(t *testing.T, s *spec.Scenario) string {
	t.Helper()
	dir := t.TempDir()
	r := scenarios.Check(t, s, scenarios.Options{Dir: dir})
	require.Equal(t, scenarios.Passed, r.Outcome)
	return filepath.Join(dir, "capture.pcapng")
}

// readers read captures: tshark, and the lab's own decoder of IKE.
var readers = map[string]func(t *testing.T, file string) []frame{"tshark": readByTshark, "ours": readOurselves}

func readOurselves(t *testing.T, file string) (frames []frame) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return frames
		}
		p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
		udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || udp.DstPort != 500 {
			continue
		}
		h, err := payload.ParseHeader(udp.Payload)
		require.NoError(t, err)
		if h.Flags&payload.Encrypted != 0 {
			continue
		}
		chain, _, err := payload.Parse(h.Next, udp.Payload[payload.HeaderLen:])
		require.NoError(t, err)
		f := frame{
			at: time.Duration(info.Timestamp.UnixNano()), from: p.NetworkLayer().NetworkFlow().Src().String(), length: len(udp.Payload),
			cookies: [2]string{hex.EncodeToString(h.CookieI[:]), hex.EncodeToString(h.CookieR[:])}, mainMode: h.Exchange == payload.MainMode,
		}
		for _, v := range payload.All[payload.VendorID](chain) {
			f.vendors = append(f.vendors, hex.EncodeToString(v.Data))
		}
		frames = append(frames, f)
	}
}

func readByTshark(t *testing.T, file string) (frames []frame) {
	args := []string{"-r", file, "-Y", "isakmp && udp.dstport == 500 && isakmp.flag_e == 0", "-T", "fields", "-E", "separator=|"}
	for _, f := range []string{"frame.time_epoch", "ip.src", "isakmp.ispi", "isakmp.rspi", "isakmp.vid_bytes", "udp.length", "isakmp.exchangetype"} {
		args = append(args, "-e", f)
	}
	out, err := exec.Command(needs.Tool(t, "tshark"), args...).Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		seconds, nanos, _ := strings.Cut(v[0], ".")
		at, err := time.ParseDuration(seconds + "." + nanos + "s")
		require.NoError(t, err)
		length, err := strconv.Atoi(v[5])
		require.NoError(t, err)
		f := frame{at: at, from: v[1], cookies: [2]string{v[2], v[3]}, length: length - 8, mainMode: v[6] == "2"}
		if v[4] != "" {
			f.vendors = strings.Split(v[4], ",")
		}
		frames = append(frames, f)
	}
	return frames
}
