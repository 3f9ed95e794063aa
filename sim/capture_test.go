package sim

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/stretchr/testify/require"
)

// captured runs a small world and returns its capture and what it should hold.
func captured(t *testing.T) ([]byte, []pcapng.Packet) {
	t.Helper()
	var file bytes.Buffer
	w, err := New(Config{Capture: &file})
	require.NoError(t, err)
	s := newSegment(t, w, "lan", SegmentConfig{Latency: ms})
	a, b := attach(t, s, "a", "10.0.0.1"), attach(t, s, "b", "10.0.0.2")
	setLink(t, b, LinkConfig{MTU: 576})
	var want []pcapng.Packet
	send := func(n *node, frame []byte, comment, inFile string) {
		want = append(want, pcapng.Packet{Number: len(want) + 1, Interface: n.Name(), At: w.Time(), Link: pcapng.LinkEthernet, Data: bytes.Clone(frame), Comment: inFile})
		require.Equal(t, len(want), n.Send(frame, comment))
	}
	w.After(nil, ms, func() {
		send(a, arpFrame(broadcast, a.MAC(), 1, "10.0.0.1", "10.0.0.2"), "", "")
		send(b, arpFrame(a.MAC(), b.MAC(), 2, "10.0.0.2", "10.0.0.1"), "reply", "reply")
	})
	w.After(nil, 1234567891, func() {
		setLink(t, a, LinkConfig{Loss: 1})
		send(a, arpFrame(b.MAC(), a.MAC(), 1, "10.0.0.1", "10.0.0.2"), "", "lost on link a:lan (loss)")
		send(b, etherFrame(a.MAC(), b.MAC(), strings.Repeat("x", 1500)), "too long", "too long; lost on link b:lan (1500 bytes exceed MTU 576)")
	})
	run(t, w, 0)
	require.NoError(t, w.Close())
	return file.Bytes(), want
}

func TestCaptureReadsBack(t *testing.T) {
	file, want := captured(t)
	got, err := pcapng.Read(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestGopacketReadsCapture(t *testing.T) {
	file, want := captured(t)
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for _, p := range want {
		data, info, err := r.ReadPacketData()
		require.NoError(t, err)
		require.Equal(t, p.Data, data)
		require.True(t, p.At.Equal(info.Timestamp))
		iface, err := r.Interface(info.InterfaceIndex)
		require.NoError(t, err)
		require.Equal(t, p.Interface, iface.Name)
	}
}

func TestTsharkReadsCapture(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	file, want := captured(t)
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	var stderr bytes.Buffer
	cmd := exec.Command(tshark, "-r", name, "-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "frame.time_epoch",
		"-e", "frame.interface_name", "-e", "eth.src", "-e", "arp.dst.proto_ipv4", "-e", "_ws.malformed", "-e", "frame.comment")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var lines []string
	for i, p := range want {
		lines = append(lines, fmt.Sprintf("%d|%d.%09d|%s|%s|%s||%s", p.Number, p.At.Unix(), p.At.Nanosecond(), p.Interface,
			macString(macAddr(p.Data[6:])), []string{"10.0.0.2", "10.0.0.1", "10.0.0.2", ""}[i], p.Comment))
	}
	require.Equal(t, lines, strings.Split(strings.TrimSpace(string(out)), "\n"))
}

// TestCaptureCutsWhatTheFormatCannotHold: frames keep their numbers.
func TestCaptureCutsWhatTheFormatCannotHold(t *testing.T) {
	var file bytes.Buffer
	w, err := New(Config{Capture: &file})
	require.NoError(t, err)
	a := attach(t, newSegment(t, w, "lan", SegmentConfig{}), "a")
	a.Send(make([]byte, pcapng.MaxPacket+1), strings.Repeat("ü", 40_000))
	a.toAll("next")
	require.NoError(t, w.Close())
	got, err := pcapng.Read(&file)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, make([]byte, pcapng.MaxPacket), got[0].Data)
	require.Equal(t, strings.Repeat("ü", 32767), got[0].Comment)
	require.Equal(t, etherFrame(broadcast, a.MAC(), "next"), got[1].Data)
}
