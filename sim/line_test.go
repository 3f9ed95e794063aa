package sim

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// A line carries bare packets to its other end, whatever they are, with the
// impairments of any link.
func TestPointToPoint(t *testing.T) {
	var file bytes.Buffer
	w := newWorld(t, Config{Capture: &file})
	s := newSegment(t, w, "line", SegmentConfig{Medium: PointToPoint, Latency: ms, MTU: 1280})
	a, b := attach(t, s, "a", "10.0.0.0"), attach(t, s, "b", "10.0.0.1")
	_, err := s.Attach(PortConfig{Node: "c", Receive: func([]byte) {}})
	require.EqualError(t, err, `sim: node "c" on segment "line": a point-to-point line has two ends, and a and b are at them`)

	v4 := ipFrame(t, layers.IPProtocolUDP, "10.0.0.0", "10.0.0.1", 500, 500, nil)[etherHeader:]
	v6 := frame6(t, macAddr{2}, macAddr{2}, layers.IPProtocolNoNextHeader, "2001:db8::1", "2001:db8::2")[etherHeader:]
	setLink(t, a, LinkConfig{Impairments: Impairments{Blackholes: []Selection{{Filter: Filter{EtherType: 0x86dd}, First: 2, Last: 2}}}})
	var lost []string
	w.Tap(func(f Frame) {
		require.Equal(t, PointToPoint, f.Medium)
		lost = append(lost, f.Lost)
	})
	for _, f := range [][]byte{v4, v6, v6, {}, make([]byte, 1281), {0x4f}} {
		a.Send(bytes.Clone(f), "")
	}
	b.Send(bytes.Clone(v6), "")
	run(t, w, 0)
	require.Equal(t, [][]byte{v4, v6, {0x4f}}, [][]byte{b.got[0].frame, b.got[1].frame, b.got[2].frame})
	require.Len(t, b.got, 3)
	require.Equal(t, v6, a.got[0].frame)
	require.Equal(t, ms, b.got[0].at)
	require.Equal(t, []string{
		"", "", "lost on link a:line (blackhole: EtherType 0x86dd, frame 2; number 2)",
		"lost on link a:line (no bytes are no packet)", "lost on link a:line (1281 bytes exceed MTU 1280)", "", "",
	}, lost)

	require.NoError(t, w.Close())
	packets, err := pcapng.Read(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.Equal(t, pcapng.LinkRaw, packets[0].Link)
	require.Equal(t, v4, packets[0].Data)

	program := needs.Tool(t, "tshark")
	name := filepath.Join(t.TempDir(), "line.pcapng")
	require.NoError(t, os.WriteFile(name, file.Bytes(), 0o644))
	out, err := exec.Command(program, "-r", name, "-T", "fields", "-e", "frame.protocols").Output()
	require.NoError(t, err)
	for i, want := range []string{"raw:ip:udp", "raw:ipv6", "raw:ipv6"} {
		require.Regexp(t, "^"+want, strings.Fields(string(out))[i])
	}
}

// Corruption of a bare packet may hit its first byte.
func TestPointToPointCorrupts(t *testing.T) {
	w := newWorld(t, Config{Seed: 1})
	s := newSegment(t, w, "line", SegmentConfig{Medium: PointToPoint, Impairments: Impairments{Corrupt: 1}})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	hit := [2]int{}
	for range 400 {
		a.Send([]byte{0x45, 0}, "")
		run(t, w, 0)
		got := b.got[len(b.got)-1].frame
		for i, want := range []byte{0x45, 0} {
			if got[i] != want {
				hit[i]++
			}
		}
	}
	require.Equal(t, 400, hit[0]+hit[1], "one bit each")
	require.Greater(t, min(hit[0], hit[1]), 100)
}

// A tap on a line hears both ways and is no end of it; what it forwards along the
// link of one end comes out at the other.
func TestTapOnALine(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "line", SegmentConfig{Medium: PointToPoint, Latency: ms})
	m := attachTap(t, s, "m", nil)
	a := attach(t, s, "a")
	require.Nil(t, a.Opposite(), "a line with one end")
	b := attach(t, s, "b")
	other := attachTap(t, s, "other", nil)
	require.Same(t, b.Port, a.Opposite())
	require.Same(t, a.Port, b.Opposite())
	require.Nil(t, attach(t, newSegment(t, w, "lan", SegmentConfig{}), "a").Opposite(), "a segment without ends")
	_, err := s.Attach(PortConfig{Node: "c", Receive: func([]byte) {}})
	require.EqualError(t, err, `sim: node "c" on segment "line": a point-to-point line has two ends, and a and b are at them`)

	var lost []string
	w.Tap(func(f Frame) { lost = append(lost, f.Lost) })
	a.Send([]byte("from a"), "")
	b.Send([]byte("from b"), "")
	m.Send([]byte("from nowhere"), "")
	_, err = m.Forward(Intercepted{Link: a.Port, Direction: Up, Data: []byte("as if from a")}, "")
	require.NoError(t, err)
	_, err = m.Forward(Intercepted{Link: a.Port, Direction: Up}, "")
	require.ErrorIs(t, err, errNoFrame)
	run(t, w, 0)
	bodies := func(n *node) (all []string) {
		for _, g := range n.got {
			all = append(all, string(g.frame))
		}
		return all
	}
	require.Equal(t, []string{"from b"}, bodies(a))
	require.Equal(t, []string{"from a", "as if from a"}, bodies(b))
	require.Equal(t, []string{"from a", "from b", "as if from a"}, bodies(m))
	require.Equal(t, []string{"from a", "from b", "from nowhere", "as if from a"}, bodies(other))
	require.Equal(t, []*Port{a.Port, b.Port, a.Port}, m.from)
	require.Equal(t, []string{"", "", "lost on segment line (no other port)", ""}, lost)
}
