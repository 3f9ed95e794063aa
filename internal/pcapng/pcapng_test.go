package pcapng

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
)

var epoch = time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)

// udpFrame is Ethernet, IPv4 10.0.0.1 → 10.0.0.2, UDP 500 → 500 without checksum, four bytes.
func udpFrame(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("020000000002" + "020000000001" + "0800" +
		"45000020000100004011" + "66ca" + "0a000001" + "0a000002" + "01f401f4000c0000" + "00000000")
	require.NoError(t, err)
	return b
}

// sample is a capture with odd lengths, two interfaces and comments, and what Read should give.
func sample(t testing.TB) ([]byte, []Packet) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	require.NoError(t, err)
	lan, err := w.AddInterface("a:lan", LinkEthernet)
	require.NoError(t, err)
	frame := udpFrame(t)
	var want []Packet
	add := func(iface int, name string, at time.Time, data []byte, comment string) {
		require.NoError(t, w.WritePacket(iface, at, data, comment))
		want = append(want, Packet{Number: len(want) + 1, Interface: name, At: at, Link: LinkEthernet, Data: data, Comment: comment})
	}
	add(lan, "a:lan", epoch, frame, "")
	add(lan, "a:lan", epoch.Add(1), append(slices.Clone(frame), 1), "lost on link a:lan (loss)")
	wan, err := w.AddInterface("b:wan – ü", LinkEthernet)
	require.NoError(t, err)
	add(wan, "b:wan – ü", epoch.Add(8*time.Hour+999999999), append(slices.Clone(frame), 1, 2, 3), "rule “Block all” → drop")
	add(lan, "a:lan", time.Unix(0, 0).UTC(), append(slices.Clone(frame), 1, 2), "x")
	return buf.Bytes(), want
}

func TestWriteRead(t *testing.T) {
	file, want := sample(t)
	got, err := Read(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Interfaces of one file may have different link types, and keep them.
func TestLinkTypes(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	require.NoError(t, err)
	frame := udpFrame(t)
	for i, link := range []LinkType{LinkEthernet, LinkRaw} {
		n, err := w.AddInterface(fmt.Sprint(i), link)
		require.NoError(t, err)
		require.NoError(t, w.WritePacket(n, epoch, frame[14*i:], ""))
	}
	got, err := Read(bytes.NewReader(buf.Bytes()))
	require.NoError(t, err)
	require.Equal(t, []Packet{
		{Number: 1, Interface: "0", At: epoch, Link: LinkEthernet, Data: frame},
		{Number: 2, Interface: "1", At: epoch, Link: LinkRaw, Data: frame[14:]},
	}, got)
	o := pcapgo.DefaultNgReaderOptions
	o.WantMixedLinkType = true
	r, err := pcapgo.NewNgReader(bytes.NewReader(buf.Bytes()), o)
	require.NoError(t, err)
	for _, want := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeRaw} {
		_, ci, err := r.ReadPacketData()
		require.NoError(t, err)
		require.Equal(t, want, ci.AncillaryData[0])
	}
}

func TestGopacketReadsIt(t *testing.T) {
	file, want := sample(t)
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	require.Equal(t, layers.LinkTypeEthernet, r.LinkType())
	for _, p := range want {
		data, ci, err := r.ReadPacketData()
		require.NoError(t, err)
		require.Equal(t, p.Data, data)
		require.Equal(t, p.At.UnixNano(), ci.Timestamp.UnixNano())
		require.Equal(t, len(p.Data), ci.Length)
		f, err := r.Interface(ci.InterfaceIndex)
		require.NoError(t, err)
		require.Equal(t, p.Interface, f.Name)
	}
	_, _, err = r.ReadPacketData()
	require.ErrorIs(t, err, io.EOF)
}

// TestReadsGopacketFile reads what an independent writer wrote.
func TestReadsGopacketFile(t *testing.T) {
	var buf bytes.Buffer
	f := pcapgo.DefaultNgInterface
	f.Name, f.LinkType = "eth0", layers.LinkTypeEthernet
	w, err := pcapgo.NewNgWriterInterface(&buf, f, pcapgo.DefaultNgWriterOptions)
	require.NoError(t, err)
	_, want := sample(t)
	for i := range want {
		p := &want[i]
		p.Interface, p.Comment = "eth0", ""
		require.NoError(t, w.WritePacket(gopacket.CaptureInfo{Timestamp: p.At, CaptureLength: len(p.Data), Length: len(p.Data)}, p.Data))
	}
	require.NoError(t, w.Flush())
	got, err := Read(&buf)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestTsharkReadsIt(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	file, want := sample(t)
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	var stderr bytes.Buffer
	cmd := exec.Command(tshark, "-r", name, "-T", "fields", "-E", "separator=|",
		"-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.comment", "-e", "udp.port")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var lines []string
	for _, p := range want {
		lines = append(lines, fmt.Sprintf("%d|%d.%09d|%s|%s|500,500", p.Number, p.At.Unix(), p.At.Nanosecond(), p.Interface, p.Comment))
	}
	require.Equal(t, lines, strings.Split(strings.TrimSpace(string(out)), "\n"))
}

// Blocks by hand, for what the Writer never writes.

func block(o binary.AppendByteOrder, typ uint32, body []byte) []byte {
	n := uint32(len(body) + 12)
	b := o.AppendUint32(o.AppendUint32(nil, typ), n)
	return o.AppendUint32(append(b, body...), n)
}

func section(o binary.AppendByteOrder) []byte {
	b := o.AppendUint16(o.AppendUint16(o.AppendUint32(nil, byteOrderMagic), 1), 0)
	return block(o, blockSection, o.AppendUint64(b, 1<<64-1))
}

func ifDesc(o binary.AppendByteOrder, snapLen uint32, options ...byte) []byte {
	b := o.AppendUint32(o.AppendUint16(o.AppendUint16(nil, uint16(LinkEthernet)), 0), snapLen)
	return block(o, blockInterface, append(b, options...))
}

// packet789 holds the bytes 7, 8, 9 of a frame of 60.
func packet789(o binary.AppendByteOrder, ticks uint64, options ...byte) []byte {
	b := o.AppendUint32(nil, 0)
	b = o.AppendUint32(o.AppendUint32(b, uint32(ticks>>32)), uint32(ticks))
	b = append(o.AppendUint32(o.AppendUint32(b, 3), 60), 7, 8, 9, 0)
	return block(o, blockEnhanced, append(b, options...))
}

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

func TestReadForeign(t *testing.T) {
	at := func(ns int64) time.Time { return time.Unix(0, ns).UTC() }
	for _, tt := range []struct {
		name   string
		blocks [][]byte
		want   []Packet
	}{
		{"big-endian, microseconds by default",
			[][]byte{section(be), ifDesc(be, 0), packet789(be, 1_500_000)},
			[]Packet{{Number: 1, Link: LinkEthernet, At: at(1.5e9), Data: []byte{7, 8, 9}}}},
		{"units of 2^-10 s, offset of 100 s",
			[][]byte{section(le), ifDesc(le, 0, 9, 0, 1, 0, 0x8a, 0, 0, 0, 14, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0), packet789(le, 512)},
			[]Packet{{Number: 1, Link: LinkEthernet, At: at(100.5e9), Data: []byte{7, 8, 9}}}},
		{"the finest power of ten and of two",
			[][]byte{section(le), ifDesc(le, 0, 9, 0, 1, 0, 19, 0, 0, 0), packet789(le, 15e18),
				section(be), ifDesc(be, 0, 0, 9, 0, 1, 0xbf, 0, 0, 0), packet789(be, 3<<62)},
			[]Packet{{Number: 1, Link: LinkEthernet, At: at(1.5e9), Data: []byte{7, 8, 9}}, {Number: 2, Link: LinkEthernet, At: at(1.5e9), Data: []byte{7, 8, 9}}}},
		{"simple and obsolete packets, unknown blocks skipped",
			[][]byte{section(le), ifDesc(le, 2), block(le, 0x0bad, []byte{1, 2, 3, 4}),
				block(le, blockSimple, []byte{60, 0, 0, 0, 5, 6, 0, 0}),
				block(le, blockPacket, []byte{0, 0, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 60, 0, 0, 0, 5, 6, 0, 0})},
			[]Packet{{Number: 1, Link: LinkEthernet, Data: []byte{5, 6}}, {Number: 2, Link: LinkEthernet, At: at(1000), Data: []byte{5, 6}}}},
		{"interfaces start anew in each section, two comments and no end of options",
			[][]byte{section(le), ifDesc(le, 0, 2, 0, 1, 0, 'a', 0, 0, 0), ifDesc(le, 0), packet789(le, 0),
				section(le), ifDesc(le, 0, 2, 0, 1, 0, 'b', 0, 0, 0), packet789(le, 0, 1, 0, 2, 0, 'x', 'y', 0, 0, 1, 0, 1, 0, 'z', 0, 0, 0)},
			[]Packet{{Number: 1, Interface: "a", Link: LinkEthernet, At: at(0), Data: []byte{7, 8, 9}},
				{Number: 2, Interface: "b", Link: LinkEthernet, At: at(0), Data: []byte{7, 8, 9}, Comment: "xy\nz"}}},
		{"no packets", [][]byte{section(le)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(bytes.NewReader(bytes.Join(tt.blocks, nil)))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestReadDamaged(t *testing.T) {
	patched := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	for _, tt := range []struct {
		name   string
		blocks [][]byte
		want   string
	}{
		{"empty", nil, "pcapng: empty file"},
		{"classic pcap", [][]byte{{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0}}, "pcapng: block 1: no section header: not a pcapng file"},
		{"wrong magic", [][]byte{patched(section(le), 8, 0)}, "pcapng: block 1: byte-order magic 003c2b1a: not a pcapng file"},
		{"major version 2", [][]byte{patched(section(le), 12, 2)}, "pcapng: block 1: unsupported: pcapng version 2.0"},
		{"section header too short", [][]byte{block(le, blockSection, le.AppendUint32(nil, byteOrderMagic))}, "pcapng: block 1: block is too short for its fields"},
		{"length below a block's frame", [][]byte{section(le), patched(ifDesc(le, 0), 4, 8)}, "pcapng: block 2: impossible block length 8"},
		{"length not a multiple of 4", [][]byte{section(le), patched(ifDesc(le, 0), 4, 21)}, "pcapng: block 2: impossible block length 21"},
		{"lengths differ", [][]byte{section(le), patched(ifDesc(le, 0), 16, 24)}, "pcapng: block 2: block length is 20 at its start and 24 at its end"},
		{"claims 4 GiB", [][]byte{section(le), {6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0}}, "pcapng: block 2: block of 4294967280 bytes is longer than 16777216"},
		{"claims 16 MiB", [][]byte{section(le), {6, 0, 0, 0, 0, 0, 0, 1, 0}}, "pcapng: block 2: unexpected EOF"},
		{"packet before its interface", [][]byte{section(le), packet789(le, 0)}, "pcapng: block 2: packet of interface 0, but the section has 0"},
		{"simple packet before its interface", [][]byte{section(le), block(le, blockSimple, make([]byte, 4))}, "pcapng: block 2: simple packet, but the section has no interface"},
		{"data longer than its block", [][]byte{section(le), ifDesc(le, 0), patched(packet789(le, 0), 20, 5)}, "pcapng: block 3: block is too short for its fields"},
		{"data longer than any packet", [][]byte{section(le), ifDesc(le, 0), patched(packet789(le, 0), 23, 1)}, "pcapng: block 3: packet of 16777219 bytes is longer than 262144"},
		{"option longer than its block", [][]byte{section(le), ifDesc(le, 0), packet789(le, 0, 1, 0, 5, 0, 'x', 0, 0, 0)}, "pcapng: block 3: block is too short for its fields"},
		{"half an option", [][]byte{section(le), ifDesc(le, 0, 2, 0), {}}, "pcapng: block 2: impossible block length 22"},
		{"resolution of 10^-20", [][]byte{section(le), ifDesc(le, 0, 9, 0, 1, 0, 20, 0, 0, 0)}, "pcapng: block 2: unsupported: time resolution of 10^-20 s"},
		{"resolution of 2^-64", [][]byte{section(le), ifDesc(le, 0, 9, 0, 1, 0, 0xc0, 0, 0, 0)}, "pcapng: block 2: unsupported: time resolution of 2^-64 s"},
		{"empty resolution", [][]byte{section(le), ifDesc(le, 0, 9, 0, 0, 0)}, "pcapng: block 2: block is too short for its fields"},
		{"empty offset", [][]byte{section(le), ifDesc(le, 0, 14, 0, 0, 0)}, "pcapng: block 2: block is too short for its fields"},
		{"time after the year 9999", [][]byte{section(le), ifDesc(le, 0, 9, 0, 1, 0, 0, 0, 0, 0), packet789(le, 1<<63)},
			"pcapng: block 3: time of 9223372036854775808 units of 1/1 s plus 0 s is outside the years 1970 to 9999"},
		{"time before 1970", [][]byte{section(le), ifDesc(le, 0, 14, 0, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255), packet789(le, 1)},
			"pcapng: block 3: time of 1 units of 1/1000000 s plus -1 s is outside the years 1970 to 9999"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(bytes.Join(tt.blocks, nil)))
			require.EqualError(t, err, tt.want)
		})
	}
}

// TestReadEveryPrefix wants the whole packets before the cut, and an error unless the cut is between blocks.
func TestReadEveryPrefix(t *testing.T) {
	file, want := sample(t)
	whole := 0
	for n := range file {
		got, err := Read(bytes.NewReader(file[:n]))
		require.Equal(t, want[:len(got)], append([]Packet{}, got...))
		if err == nil {
			whole++
		}
	}
	require.Equal(t, 6, whole, "cuts between the 7 blocks")
	_, err := Read(io.MultiReader(bytes.NewReader(file), errReader{}))
	require.ErrorIs(t, err, errDisk)
}

var errDisk = errors.New("disk on fire")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errDisk }

// failing writes n times.
type failing struct{ n int }

func (f *failing) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestWriterRefuses(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	require.NoError(t, err)
	_, err = w.AddInterface(strings.Repeat("x", 65536), LinkEthernet)
	require.EqualError(t, err, "pcapng: interface name of 65536 bytes is longer than 65535")
	require.EqualError(t, w.WritePacket(0, epoch, nil, ""), "pcapng: packet for interface 0, but the file has 0")
	f, err := w.AddInterface("", LinkEthernet)
	require.NoError(t, err)
	size := buf.Len()
	require.EqualError(t, w.WritePacket(-1, epoch, nil, ""), "pcapng: packet for interface -1, but the file has 1")
	require.EqualError(t, w.WritePacket(f, epoch, make([]byte, MaxPacket+1), ""), "pcapng: packet of 262145 bytes is longer than 262144")
	require.EqualError(t, w.WritePacket(f, epoch, nil, strings.Repeat("x", 65536)), "pcapng: comment of 65536 bytes is longer than 65535")
	last := time.Unix(18446744073, 709551615)
	require.EqualError(t, w.WritePacket(f, last.Add(1), nil, ""), "pcapng: time 2554-07-21T23:34:33Z is outside 1970 to 2554")
	require.EqualError(t, w.WritePacket(f, time.Unix(-1, 0), nil, ""), "pcapng: time 1969-12-31T23:59:59Z is outside 1970 to 2554")
	require.Equal(t, size, buf.Len(), "a refused packet leaves no bytes")
	require.NoError(t, w.WritePacket(f, last, make([]byte, MaxPacket), strings.Repeat("x", 65535)))
	got, err := Read(&buf)
	require.NoError(t, err)
	require.Equal(t, []Packet{{Number: 1, Link: LinkEthernet, At: last.UTC(), Data: make([]byte, MaxPacket), Comment: strings.Repeat("x", 65535)}}, got)
}

func TestWriterKeepsItsError(t *testing.T) {
	_, err := NewWriter(&failing{})
	require.ErrorIs(t, err, errDisk)
	for n := 1; n < 3; n++ {
		w, err := NewWriter(&failing{n: n})
		require.NoError(t, err)
		_, err1 := w.AddInterface("a", LinkEthernet)
		err2 := w.WritePacket(0, epoch, nil, "")
		_, err3 := w.AddInterface("b", LinkEthernet)
		require.Equal(t, n < 2, errors.Is(err1, errDisk))
		require.ErrorIs(t, err2, errDisk)
		require.ErrorIs(t, err3, errDisk)
	}
}

func BenchmarkWritePacket(b *testing.B) {
	w, err := NewWriter(io.Discard)
	require.NoError(b, err)
	f, err := w.AddInterface("a:lan", LinkEthernet)
	require.NoError(b, err)
	frame := make([]byte, 1514)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.WritePacket(f, epoch, frame, "esp"); err != nil {
			b.Fatal(err)
		}
	}
}
