package reports

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/wireshark"
)

// A run made by hand: a client and a server on one segment each, a router
// between them.

var epoch = time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)

const (
	clientIP, serverIP   = "10.0.1.10", "10.0.2.20"
	clientMAC, serverMAC = "02:00:00:00:01:0a", "02:00:00:00:02:14"
	routerA, routerB     = "02:00:00:00:01:01", "02:00:00:00:02:01"
)

// world is a run in the making: what a runner would have recorded.
type world struct {
	t       testing.TB
	now     time.Duration
	result  result.Scenario
	events  []trace.Event
	capture bytes.Buffer
	writer  *pcapng.Writer
	ifaces  [2]int
	frames  int
	spis    uint32
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, spis: 0x1000}
	var err error
	w.writer, err = pcapng.NewWriter(&w.capture)
	require.NoError(t, err)
	for i, name := range []string{"office", "servers"} {
		w.ifaces[i], err = w.writer.AddInterface(name, pcapng.LinkEthernet)
		require.NoError(t, err)
	}
	w.result = result.Scenario{
		Name: "sql_protected", Title: "The application server reaches SQL Server only inside ESP", File: "sql_protected.yaml",
		Story:  "A client asks a database for an answer.\n\nThe policy on both sides demands ESP.",
		Claims: []string{"C003", "C119"}, Seed: 7, Start: epoch, Outcome: result.Passed,
		Segments: []result.Segment{
			{Name: "office", Subnet: "10.0.1.0/24", MTU: 1500, Latency: 100 * time.Microsecond},
			{Name: "servers", Subnet: "10.0.2.0/24", MTU: 1500, Latency: 100 * time.Microsecond, Loss: 0.01},
		},
		Nodes: []result.Node{
			{Name: "client", Type: "host", OS: "windows-2003-sp1", Policy: "secure SQL", Interfaces: []result.Interface{{Segment: "office", Address: clientIP + "/24", MAC: clientMAC, MTU: 1500}}},
			{Name: "server", Type: "host", OS: "windows-2003-sp1", Policy: "secure SQL", Interfaces: []result.Interface{{Segment: "servers", Address: serverIP + "/24", MAC: serverMAC, MTU: 1500}}},
			{Name: "gate", Type: "router", Interfaces: []result.Interface{
				{Segment: "office", Address: "10.0.1.1/24", MAC: routerA, MTU: 1500}, {Segment: "servers", Address: "10.0.2.1/24", MAC: routerB, MTU: 1500}}},
		},
		Artefacts: []result.Artefact{{Name: "capture", Path: captureFile}, {Name: "trace", Path: traceFile}, {Name: "wireshark profile", Path: profileDir}},
	}
	return w
}

func (w *world) record(node string, b trace.Body) {
	w.events = append(w.events, trace.Event{At: w.now, Node: node, Body: b})
}

// sides are the names and addresses of a sender and a receiver.
func sides(fromClient bool) (from, to, fromIP, toIP, mac string) {
	if fromClient {
		return "client", "server", clientIP, serverIP, clientMAC
	}
	return "server", "client", serverIP, clientIP, serverMAC
}

// packet serialises an IPv4 packet.
func packet(t testing.TB, src, dst string, proto layers.IPProtocol, body ...gopacket.SerializableLayer) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 128, Protocol: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
	for _, l := range body {
		if tl, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, tl.SetNetworkLayerForChecksum(ip))
		}
	}
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append([]gopacket.SerializableLayer{ip}, body...)...))
	return b.Bytes()
}

// send puts an IPv4 packet on both segments, as the router forwards it, and returns the first frame's number.
func (w *world) send(fromClient bool, ip []byte, comment string) int {
	first := w.frames + 1
	_, _, _, _, mac := sides(fromClient)
	hops := []struct{ src, dst string }{{mac, routerA}, {routerB, serverMAC}}
	order := []int{0, 1}
	if !fromClient {
		hops = []struct{ src, dst string }{{mac, routerB}, {routerA, clientMAC}}
		order = []int{1, 0}
	}
	for i, h := range hops {
		src, _ := net.ParseMAC(h.src)
		dst, _ := net.ParseMAC(h.dst)
		frame := append(append(append([]byte{}, dst...), src...), 8, 0)
		require.NoError(w.t, w.writer.WritePacket(w.ifaces[order[i]], epoch.Add(w.now), append(frame, ip...), comment))
		w.frames++
		w.now += 100 * time.Microsecond
	}
	return first
}

// ike sends an IKE message; lost ones never arrive.
func (w *world) ike(fromClient bool, exchange string, number int, id uint32, lost bool, payloads ...trace.Field) {
	from, to, fromIP, toIP, _ := sides(fromClient)
	m := trace.IKEMessage{
		Sent: true, Local: fromIP + ":500", Remote: toIP + ":500", CookieI: trace.Hex("initiate"), CookieR: trace.Hex("response"),
		Exchange: exchange, Number: number, MessageID: id, Length: 100 + number, Encrypted: id != 0 || number > 4, Payloads: payloads,
	}
	w.record(from, m)
	body := append(append([]byte("initiateresponse"), 1, 0x10, map[string]byte{"main mode": 2, "quick mode": 32}[exchange], 0), make([]byte, 8+m.Length-28)...)
	binary.BigEndian.PutUint32(body[20:], id)
	binary.BigEndian.PutUint32(body[24:], uint32(m.Length))
	w.send(fromClient, packet(w.t, fromIP, toIP, layers.IPProtocolUDP, &layers.UDP{SrcPort: 500, DstPort: 500}, gopacket.Payload(body)), "exempt: isakmp")
	if lost {
		return
	}
	m.Sent, m.Local, m.Remote = false, m.Remote, m.Local
	w.record(to, m)
}

// proposal is a payload tree like a real one.
func proposal() trace.Field {
	return trace.Field{Name: "Security Association", Fields: []trace.Field{
		{Name: "DOI", Value: "IPSEC"},
		{Name: "Proposal 1", Fields: []trace.Field{{Name: "Transform 1", Value: "KEY_IKE", Fields: []trace.Field{
			{Name: "Encryption Algorithm", Value: "3DES-CBC"}, {Name: "Hash Algorithm", Value: "SHA"}}}}},
	}}
}

func (w *world) mainMode() {
	for n := 1; n <= 6; n++ {
		payload := []trace.Field{proposal(), {Name: "Vendor ID", Value: "MS NT5 ISAKMPOAKLEY"}, {Name: "Vendor ID", Value: "FRAGMENTATION"}}
		switch {
		case n == 3 || n == 4:
			payload = []trace.Field{{Name: "Key Exchange", Value: "00ff"}, {Name: "Nonce", Value: "aa"}}
		case n > 4:
			payload = []trace.Field{{Name: "Identification", Value: "ID_IPV4_ADDR " + clientIP}, {Name: "Hash", Value: "bb"}}
		}
		w.ike(n%2 == 1, "main mode", n, 0, false, payload...)
		w.now += 4 * time.Millisecond
	}
	for _, client := range []bool{true, false} {
		from, _, fromIP, toIP, _ := sides(client)
		role := map[bool]string{true: "initiator", false: "responder"}[client]
		w.record(from, trace.Negotiation{Exchange: "main mode", State: "established", Role: role, Local: fromIP, Remote: toIP, Chosen: "3des-cbc/sha1/2"})
	}
	w.record("client", trace.IKEKeys{CookieI: trace.Hex("initiate"), CookieR: trace.Hex("response"), Cipher: "3des-cbc", Key: bytes.Repeat([]byte{1}, 24)})
}

// quickMode makes a pair of SAs and returns the client's outbound and inbound SPI.
func (w *world) quickMode() (out, in uint32) {
	out, in = w.spis, w.spis+1
	w.spis += 2
	id := 0xabc00000 + out
	for n := 1; n <= 3; n++ {
		w.ike(n%2 == 1, "quick mode", n, id, false, trace.Field{Name: "Hash", Value: "cc"}, proposal(), trace.Field{Name: "Nonce", Value: "dd"})
		w.now += time.Millisecond
	}
	for _, client := range []bool{true, false} {
		from, _, fromIP, toIP, _ := sides(client)
		role := map[bool]string{true: "initiator", false: "responder"}[client]
		w.record(from, trace.Negotiation{Exchange: "quick mode", State: "established", Role: role, Local: fromIP, Remote: toIP, Chosen: "ESP[3des-cbc,hmac-sha1-96]:3600s"})
		for _, outbound := range []bool{false, true} {
			number, peer, src, dst := out, in, clientIP, serverIP
			if client != outbound {
				number, peer, src, dst = in, out, serverIP, clientIP
			}
			direction := map[bool]string{true: "outbound", false: "inbound"}[outbound]
			w.record(from, trace.SAAdded{
				Direction: direction, Protocol: "ESP", SPI: number, PeerSPI: peer, Src: src, Dst: dst, Mode: "transport",
				Cipher: "3des-cbc", CipherKey: bytes.Repeat([]byte{2}, 24), Auth: "hmac-sha1-96", AuthKey: bytes.Repeat([]byte{3}, 20),
				Selector: "tcp " + src + " > " + dst, Rule: "secure SQL/to the database", Seconds: 3600, Initiator: client,
			})
			w.result.SAs = append(w.result.SAs, result.SA{
				Node: from, Direction: direction, Protocol: "ESP", SPI: number, PeerSPI: peer, Src: src, Dst: dst, Mode: "transport",
				Cipher: "3des-cbc", Auth: "hmac-sha1-96", Selector: "tcp " + src + " > " + dst, Rule: "secure SQL/to the database",
				Seconds: 3600, Initiator: client, Added: w.now, Packets: 10, Bytes: 1000,
			})
		}
	}
	return out, in
}

// esp sends a TCP segment inside ESP.
func (w *world) esp(fromClient bool, spi uint32, sequence uint64, data int) {
	from, _, fromIP, toIP, _ := sides(fromClient)
	src, dst := layers.TCPPort(1025), layers.TCPPort(1433)
	if !fromClient {
		src, dst = dst, src
	}
	inner := packet(w.t, fromIP, toIP, layers.IPProtocolTCP, &layers.TCP{SrcPort: src, DstPort: dst, ACK: true, PSH: true, Seq: 1000, Ack: 2000, Window: 8192}, gopacket.Payload(make([]byte, data)))
	body := binary.BigEndian.AppendUint32(nil, spi)
	body = binary.BigEndian.AppendUint32(body, uint32(sequence))
	at := w.now
	number := w.send(fromClient, packet(w.t, fromIP, toIP, layers.IPProtocolESP, gopacket.Payload(append(body, make([]byte, data+40)...))), "secure SQL/to the database, SA "+"out")
	w.events = append(w.events, trace.Event{At: at, Node: from, Body: trace.Inner{
		Frame: number, Protocol: "ESP", SPI: spi, Sequence: sequence, Length: len(inner), Packet: "tcp " + fromIP + ":1025 > " + toIP + ":1433", Data: inner[:min(len(inner), trace.InnerLimit)],
	}})
}

func (w *world) ping(fromClient bool, sequence uint16) {
	_, _, fromIP, toIP, _ := sides(fromClient)
	kind := layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0)
	if !fromClient {
		kind = layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoReply, 0)
	}
	w.send(fromClient, packet(w.t, fromIP, toIP, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: kind, Id: 1, Seq: sequence}, gopacket.Payload("abcdefgh")), "no match")
}

// step runs f as the next step.
func (w *world) step(verb, title string, checks []result.Check, f func()) {
	s := result.Step{Index: len(w.result.Steps) + 1, Verb: verb, Title: title, Line: 40 + 10*len(w.result.Steps), Start: w.now, Outcome: result.Passed, Checks: checks}
	for _, c := range checks {
		s.Outcome = s.Outcome.Worse(c.Outcome)
	}
	w.record("", trace.Step{Index: s.Index, Verb: verb, Title: title, State: "started"})
	f()
	w.record("", trace.Step{Index: s.Index, Verb: verb, Title: title, State: string(s.Outcome)})
	s.End = w.now
	w.result.Steps = append(w.result.Steps, s)
	w.result.Outcome = w.result.Outcome.Worse(s.Outcome)
}

// folder writes the evidence and returns its folder.
func (w *world) folder() string {
	dir := w.t.(interface{ TempDir() string }).TempDir()
	w.write(dir)
	return dir
}

func (w *world) write(dir string) {
	w.result.Virtual, w.result.Frames = w.now, w.frames
	b, err := json.MarshalIndent(w.result, "", "  ")
	require.NoError(w.t, err)
	var lines []byte
	for _, e := range w.events {
		line, err := json.Marshal(e)
		require.NoError(w.t, err)
		lines = append(append(lines, line...), '\n')
	}
	for name, content := range map[string][]byte{resultFile: b, traceFile: lines, captureFile: w.capture.Bytes()} {
		require.NoError(w.t, os.WriteFile(filepath.Join(dir, name), content, 0o666))
	}
	require.NoError(w.t, wireshark.WriteProfile(filepath.Join(dir, profileDir), w.events))
}

// report makes the report of the world and returns its text.
func (w *world) report() string {
	dir := w.folder()
	require.NoError(w.t, Scenario(dir))
	b, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(w.t, err)
	return string(b)
}

// sqlWorld is a short run with everything in it: a main and a quick mode, data, a lost
// message, a drop, a clear ping, a failed check and an unsupported one.
func sqlWorld(t testing.TB) *world {
	w := newWorld(t)
	for _, n := range []string{"client", "server"} {
		w.record(n, trace.PolicyAssigned{Policy: "secure SQL", Filters: []string{"tcp me > 10.0.2.20:1433 negotiate", "any any > any permit"}})
	}
	passed := result.Check{Name: "wire: esp", Outcome: result.Passed, Want: "esp", Got: "esp", Line: 44}
	w.step("connect", "client asks server on port 1433", []result.Check{passed}, func() {
		w.now += time.Millisecond
		w.record("client", trace.Verdict{Direction: "outbound", Packet: "tcp 10.0.1.10:1025 > 10.0.2.20:1433", Action: "negotiate", Rule: "secure SQL/to the database", Outcome: "held", Why: "no SA yet"})
		w.record("server", trace.EventLog{
			Log: "Security", Source: "Security", ID: 541, Type: "Success Audit", Message: "IKE security association established",
			Mode: "Data Protection Mode (Quick Mode)", Peer: "10.0.1.10",
			Fields: []trace.Field{{Name: "Parameters", Fields: []trace.Field{{Name: "ESP Algorithm", Value: "3des-cbc"}, {Name: "AH Algorithm", Value: "None"}}}},
		})
		w.record("client", trace.Acquire{ID: 1, Selector: "tcp 10.0.1.10 > 10.0.2.20:1433", Peer: serverIP, Rule: "secure SQL/to the database"})
		w.mainMode()
		out, in := w.quickMode()
		for n := range uint64(6) {
			w.esp(true, out, n+1, 64)
			w.now += 500 * time.Microsecond
			w.esp(false, in, n+1, 512)
			w.now += 500 * time.Microsecond
		}
		w.record("server", trace.Application{App: "tcp server :1433", Event: "accepted", Peer: "10.0.1.10:1025"})
	})
	failed := result.Check{Name: "result", Outcome: result.Failed, Want: "timeout", Got: "ok", Reason: "2 of 2 answers came", Line: 53}
	w.step("ping", "client pings server", []result.Check{failed, {Name: "wire: clear", Outcome: result.Passed, Want: "clear", Got: "clear"}}, func() {
		for n := range uint16(2) {
			w.ping(true, n+1)
			w.ping(false, n+1)
			w.now += time.Second
		}
		w.record("server", trace.PacketDropped{Where: "ipsec inbound", Packet: "udp 10.0.1.10:99 > 10.0.2.20:53", Reason: "policy demands protection", Rule: "secure SQL/dns"})
	})
	w.step("set-link", "the server's link loses frames", []result.Check{{Name: "jitter", Outcome: result.Unsupported, Reason: "links have no jitter"}}, func() {
		w.record("server", trace.LinkChanged{Link: "server:servers", Loss: 1, MTU: 1500})
		w.ike(true, "quick mode", 1, 0xdead, true, trace.Field{Name: "Hash", Value: "ee"})
		w.now += time.Second
		w.ike(true, "quick mode", 1, 0xdead, true, trace.Field{Name: "Hash", Value: "ee"})
		m := w.events[len(w.events)-1].Body.(trace.IKEMessage)
		m.Retransmit = 1
		w.events[len(w.events)-1].Body = m
		w.now += time.Minute
		w.record("client", trace.Negotiation{Exchange: "quick mode", State: "failed", Role: "initiator", Local: clientIP, Remote: serverIP, Code: 13805, Reason: "no answer"})
		w.record("client", trace.SARemoved{Direction: "outbound", Protocol: "ESP", SPI: 0x1000, Dst: serverIP, Reason: "policy changed", Packets: 6, Bytes: 900})
	})
	w.result.Invariants = []result.Check{{Name: "wire oracle: nothing leaves in the clear that policy wants protected", Outcome: result.Passed, Want: "0 violations", Got: "0 violations in 40 frames"}}
	return w
}

// dayWorld is eight hours with a ping a minute and new SAs every hour.
func dayWorld(t testing.TB) *world {
	w := newWorld(t)
	w.result.Name, w.result.Title = "eight_hours", "A working day with hourly keys"
	w.step("wait", "eight hours pass", nil, func() {
		w.mainMode()
		for hour := range 8 {
			w.now = time.Duration(hour)*time.Hour + time.Second
			out, in := w.quickMode()
			for minute := range 59 {
				w.now = time.Duration(hour)*time.Hour + time.Duration(minute+1)*time.Minute
				w.esp(true, out, uint64(minute+1), 32)
				w.esp(false, in, uint64(minute+1), 32)
			}
			w.now = time.Duration(hour+1) * time.Hour
			w.record("client", trace.SARemoved{Direction: "outbound", Protocol: "ESP", SPI: out, Dst: serverIP, Reason: "replaced", Packets: 59, Bytes: 5900})
		}
	})
	return w
}
