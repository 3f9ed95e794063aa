//go:build unix

package scenarios_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// tshark opens the capture of every scenario with the profile that lies beside
// it, decrypts every IKE message and every ESP packet, verifies every integrity
// check value, and finds no malformed packet, but for the suites that it does not know:
// those are for TestScapyReadsWhatTsharkDoesNotKnow. From frames of an attacker, and the
// copies of them that routers forward, it does not ask that: what he did to the
// protected part of a packet it has to find.
//
// Then it dissects all IKE messages once more, each once, to the same fields as the codec.
func TestTsharkReadsEveryCapture(t *testing.T) {
	tshark, sharkd := needs.Tool(t, "tshark"), needs.Tool(t, "sharkd")
	var ear listener
	t.Run("captures", func(t *testing.T) { readEveryCapture(t, tshark, sharkd, &ear) })
	t.Run("fields", func(t *testing.T) { ear.compare(t, tshark) })
}

// sealedBy is the method of a scenario that authenticates by public key encryption, else "".
// Bodies of payloads are encrypted by themselves then (RFC 2409, Sections 5.2 and 5.3), of which
// the dissector knows nothing.
func sealedBy(s *spec.Scenario) string {
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			for _, a := range r.Auth {
				if a.By == spec.ByEncryption || a.By == spec.ByRevisedEncryption {
					return a.By
				}
			}
		}
	}
	return ""
}

// readTwice are scenarios whose captures tshark itself reads too, of each kind: transport mode and tunnels, suites,
// fragments of IP and of IKE, AH, IPv6, lines without Ethernet, attackers, encrypted identities, HTTP, and across NAT
// boxes ESP on ports 500 and 4500, errors in ICMP, fragments that come late and checksums that are wrong.
var readTwice = []string{
	"h2h_nine_steps", "suite_aes_gcm", "esn_as_offered", "first_generation/esp-iv64", "tunnel_path_mtu", "v6_path_mtu", "net_point_to_point",
	"ike_fragments/windows", "cert_fragments/windows", "firewall_fragments/permit-port", "ah_ipv4_options/cipso", "cert_encryption/revised_3des-sha1-2",
	"attack_outer_header/ah-esp-data", "attack_outer_header/esp-data", "cert_attack_altered/certificate", "scep_enrolment",
	"nat_dialects/draft-00", "nat_dialects/rfc-3947", "nat_icmp_errors/translate", "nat_fragments/out-of-order", "nat_checksum_faults/lost-carry",
	"nat_discovery_published",
}

func readEveryCapture(t *testing.T, tshark, sharkd string, ear *listener) {
	daemons := newSharkds(t, sharkd)
	all := loadAll(t, catalogueFiles(t)...)
	for _, name := range readTwice {
		require.True(t, slices.ContainsFunc(all, func(s *spec.Scenario) bool { return s.Name == name }), "there is no scenario %s", name)
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, err := scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir})
			require.NoError(t, err)
			sealed := sealedBy(s)
			discovers := slices.ContainsFunc(s.Steps, func(s spec.Step) bool { return s.Discover != nil })
			// The dissector makes the IV of main mode from the KE payloads that it sees; in the
			// revised form they are encrypted, and it spoils the first block.
			spoils := sealed == spec.ByRevisedEncryption
			if sealed == "" && !discovers { // who discovers asks with messages that no negotiation follows
				ear.add(t, s.Name, dir)
			}
			rows := dissectSides(t, daemons.dissect, dir, s)
			if slices.Contains(readTwice, s.Name) {
				require.Equal(t, dissectSides(t, tsharkOf(tshark), dir, s), rows, "sharkd says the same as tshark")
			}
			require.Equal(t, r.Frames, len(rows), "tshark sees every frame")
			esp, ike, found, skipped, faulty := 0, 0, 0, 0, 0
			inUDP := map[string]int{}                            // ESP in UDP, by segment
			chains := map[string]*ivChains{}                     // by segment, if tshark read each by itself
			sentBetween, fromOtherSide := map[string]string{}, 0 // the addresses with which ESP in UDP left its sender
			faults := faultsOfBoxes(s)
			known := map[string]knowledge{} // by SPI
			for _, sa := range r.SAs {
				if sa.Protocol == "ESP" {
					known[fmt.Sprintf("%#08x", sa.SPI)] = knowledgeOf(sa.Cipher, sa.Auth, sa.ESN)
				}
			}
			attacks := map[string]string{}
			for _, row := range rows {
				packet := ""
				for _, field := range []string{"ip.src", "ip.dst", "ip.id", "ipv6.src", "ipv6.dst", "ah.sequence", "esp.spi", "esp.sequence"} {
					packet += row[field] + " "
				}
				if by := attackersWord.FindString(row["frame.comment"]); by != "" {
					attacks[packet] = by
				} else if row["frame.comment"] != "" {
					delete(attacks, packet) // of a host
				}
				if by, is := attacks[packet]; is {
					if spoilt.MatchString(by) && row["esp.icv_good"] != "" {
						require.False(t, isTrue(row["esp.icv_good"]), "frame %s: %s, and the ICV is good", row["frame.number"], by)
						found++
					}
					continue
				}
				if row["segment"] != "" && strings.Contains(row["frame.protocols"], ":isakmp") && strings.HasPrefix(row["udp.payload"], "0000000000000000") {
					// ESP of the first drafts, which came in IP fragments: withoutNonIKEMarker leaves those, and
					// tshark takes for ISAKMP what it puts together. No initiator has a cookie of zeros.
					skipped++
					continue
				}
				// A frame with the last fragment of a message has the fields of both.
				encrypted := strings.HasSuffix(row["isakmp.flag_e"], "1") || strings.HasSuffix(row["isakmp.flag_e"], "True")
				row["isakmp.ispi"], _, _ = strings.Cut(row["isakmp.ispi"], ",")
				row["isakmp.messageid"], _, _ = strings.Cut(row["isakmp.messageid"], ",")
				if chains[row["segment"]] == nil {
					chains[row["segment"]] = &ivChains{last: map[string]string{}, read: map[string]bool{}, broken: map[string]bool{}}
				}
				if encrypted && !chains[row["segment"]].follow(row) {
					skipped++
					continue
				}
				if encrypted && spoils {
					spoils = false
					continue
				}
				if !discovers { // it takes some ports of a NAT for those of other protocols: see TestTsharkReadsADiscovery
					require.Empty(t, row["_ws.malformed"], "frame %s is malformed", row["frame.number"])
				}
				protocols := row["frame.protocols"]
				moved := false // by a NAT box, in transport mode
				if espInUDP.MatchString(protocols) {
					n, between := row["esp.spi"]+" "+row["esp.sequence"], row["ip.src"]+" "+row["ip.dst"]
					if sentBetween[n] == "" {
						sentBetween[n] = between
					}
					moved = sentBetween[n] != between && !strings.Contains(protocols, ":esp:ip")
				}
				for _, sum := range []string{"ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmpv6.checksum.status"} {
					if quotes.MatchString(protocols) {
						continue // quotes a part of a packet
					}
					if (sum == "tcp.checksum.status" || sum == "udp.checksum.status") && moved {
						// RFC 3948, Section 3.1.2: the checksum within is of the sender's addresses, and stays
						// so; only on the sender's side can it be right. That of the UDP around it comes first.
						outer, _, inside := strings.Cut(row[sum], ",")
						if sum == "tcp.checksum.status" || inside && outer != "0" {
							fromOtherSide++
							continue
						}
					}
					if faults[sum] && strings.Contains(row[sum], "0") {
						faulty++
						continue
					}
					require.NotContains(t, row[sum], "0", "frame %s: %s: bad", row["frame.number"], sum)
				}
				if _, ok := known[row["esp.spi"]]; !ok && discovers {
					continue // what looks like ESP there is plain text, and of no SA
				}
				if what := known[row["esp.spi"]]; row["esp.spi"] != "" && !quotes.MatchString(protocols) && what != unknown {
					esp++
					if espInUDP.MatchString(protocols) {
						inUDP[row["segment"]]++
					}
					switch what {
					case bare:
						require.Contains(t, protocols, ":ah:esp", "frame %s: ESP without integrity stands alone", row["frame.number"])
					case verified:
						require.True(t, isTrue(row["esp.icv_good"]), "frame %s: the ICV is not verified", row["frame.number"])
					}
					require.Regexp(t, `:esp:(ip:|ipv6:)?(icmp|tcp|udp)`, protocols, "frame %s: the inner packet is not decrypted", row["frame.number"])
				}
				if encrypted {
					ike++
					// ID begins the last messages of main mode, before HASH or SIG and the certificates
					// for it; in aggressive mode it was said before. HASH begins every later message
					// (RFC 2409, Section 5).
					require.Regexp(t, `^(132,)?((5,)?([67],)*((20|130),)*9|5,8|((20|130),)*8)\b`, row["isakmp.typepayload"], "frame %s: the IKE message is not decrypted", row["frame.number"])
				}
			}
			require.Equal(t, len(faults) > 0, faulty > 0, "tshark finds the wrong checksums of a box that makes them, and no others")
			t.Logf("%d frames, %d ESP datagrams verified and decrypted (in UDP, by segment: %v), %d found altered, %d encrypted IKE messages decrypted, %d not asked about; %d checksums of another side of a NAT",
				r.Frames, esp, inUDP, found, ike, skipped, fromOtherSide)
		})
	}
}

// ivChains tells which encrypted IKE messages the dissector can be asked about. It
// takes each IV from the message that it saw before in the exchange, and the first
// of an exchange from the last of main mode. By RFC 2409, Appendix B, copies do not
// count; for the dissector they do.
type ivChains struct {
	read   map[string]bool   // messages seen, by sender and bytes
	last   map[string]string // the newest message of each exchange
	broken map[string]bool   // exchanges in which a copy came after a newer message
}

// follow takes the next message in, and reports whether its IV is where the dissector looks for it.
func (c *ivChains) follow(row map[string]string) bool {
	message := row["ip.src"] + row["ipv6.src"] + " " + row["udp.payload"] + " " + row["udp.length"] + " " + row["udp.checksum"]
	mainMode := row["isakmp.ispi"] + " 0x00000000"
	exchange := row["isakmp.ispi"] + " " + row["isakmp.messageid"]
	inFragments := strings.HasPrefix(row["isakmp.typepayload"], "132")
	sender, _, _ := strings.Cut(message, " ")
	switch {
	case inFragments && !c.read[message] && strings.HasPrefix(c.last[exchange], sender+" "):
		// the message went before, whole: those of an exchange come from either side in turn
	case c.read[message]:
		c.broken[exchange] = c.broken[exchange] || c.last[exchange] != message
	case c.broken[exchange] || c.broken[mainMode]:
	default:
		c.read[message], c.last[exchange] = true, message
		return true
	}
	return false
}

// espInUDP matches the protocols of ESP in UDP.
var espInUDP = regexp.MustCompile(`:udp:udpencap:esp`)

// quotes matches the protocols of an ICMP error, which has a part of a packet in it.
var quotes = regexp.MustCompile(`:icmp(v6)?:ip`)

// spoilt matches what the capture says of a frame of which an attacker changed what ESP authenticates.
var spoilt = regexp.MustCompile(`^altered.*\b(payload|icv|esp\.\w+) `)

// knowledge is what tshark can do with the packets of an SA of ESP.
type knowledge int

const (
	verified  knowledge = iota // it decrypts and verifies
	bare                       // ESP without integrity of its own, inside AH: it decrypts
	decrypted                  // it decrypts, and cannot verify
	unknown                    // it can do nothing
)

// knowledgeOf is that of tshark 4.0, which has neither CCM nor GMAC nor ESP of RFC 1829, no
// AES-XCBC, and of extended sequence numbers not the upper half.
func knowledgeOf(cipher, auth string, esn bool) knowledge {
	gcm := strings.Contains(cipher, "gcm")
	switch {
	case unknownToTshark.MatchString(cipher) || gcm && esn:
		return unknown
	case auth == "" && !gcm:
		return bare
	case auth == "aes-xcbc-96" || esn:
		return decrypted
	}
	return verified
}

var unknownToTshark = regexp.MustCompile(`ccm|gmac|^des-iv`)

func isTrue(field string) bool { return field == "1" || field == "True" }

// faultsOfBoxes are the fields of checksums that a NAT box of the scenario spoils.
func faultsOfBoxes(s *spec.Scenario) map[string]bool {
	fields := map[string]bool{}
	for _, n := range s.Nodes {
		if n.NAT == nil {
			continue
		}
		for _, f := range n.NAT.Faults {
			switch f {
			case "no-udp-checksum":
				fields["udp.checksum.status"] = true
			case "no-tcp-checksum":
				fields["tcp.checksum.status"] = true
			case "lost-carry":
				fields["ip.checksum.status"], fields["udp.checksum.status"], fields["tcp.checksum.status"] = true, true, true
			}
		}
	}
	return fields
}

// dissectSides dissects the capture of a scenario. Where there is a NAT box, tshark reads each
// segment by itself: it takes the first KE payload that does not come from the initiator's
// address for the responder's, and makes of it the IV of main mode (RFC 2409, Appendix B). The
// copy that leaves a NAT box comes from another address, and is the first of them.
func dissectSides(t *testing.T, read reader, dir string, s *spec.Scenario) []map[string]string {
	t.Helper()
	capture, profile := filepath.Join(dir, "capture.pcapng"), filepath.Join(dir, "wireshark")
	more := settings{preferences: []string{"ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE"}}
	if !speaksHTTP(s) { // what goes through TCP is bytes of a pattern, with no messages to put together
		more.preferences = append(more.preferences, "tcp.desegment_tcp_streams:FALSE")
		more.disabled = []string{"http", "tds"}
	}
	translated := false
	for _, n := range s.Nodes {
		translated = translated || n.NAT != nil
	}
	if !translated {
		return read(t, profile, capture, more)
	}
	f, err := os.Open(capture)
	require.NoError(t, err)
	packets, err := pcapng.Read(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	sides := map[string][]pcapng.Packet{}
	for _, p := range packets {
		_, segment, ok := strings.Cut(p.Interface, ":")
		require.True(t, ok, "the interface %q names a node and a segment", p.Interface)
		sides[segment] = append(sides[segment], p)
	}
	var all []map[string]string
	for segment, side := range sides {
		file := filepath.Join(dir, segment+".pcapng")
		writeCapture(t, file, side)
		rows := read(t, profile, file, more)
		require.Len(t, rows, len(side), "tshark sees every frame of %s", segment)
		for i, row := range rows {
			row["segment"], row["frame.number"] = segment, strconv.Itoa(side[i].Number)
			all = append(all, row)
		}
	}
	slices.SortFunc(all, func(a, b map[string]string) int {
		na, _ := strconv.Atoi(a["frame.number"])
		nb, _ := strconv.Atoi(b["frame.number"])
		return na - nb
	})
	return all
}

func speaksHTTP(s *spec.Scenario) bool {
	for _, n := range s.Nodes {
		for _, service := range n.Serves {
			if service.SCEP != nil || len(service.Lists) > 0 {
				return true
			}
		}
	}
	return false
}

// withoutNonIKEMarker makes ESP in UDP of the first drafts (draft-ietf-ipsec-udp-encaps-00, Section 2:
// port 500, behind eight zeros) what it is in RFC 3948, which tshark 4.0 alone knows: on port 500 it
// takes everything for ISAKMP. The bytes of ESP stay the same. Other frames come back as they are.
func withoutNonIKEMarker(p pcapng.Packet) []byte {
	const eth, marker = 14, 8
	b := p.Data
	if p.Link != pcapng.LinkEthernet || len(b) < eth+20 || b[12] != 8 || b[13] != 0 || b[eth]>>4 != 4 || b[eth+9] != 17 {
		return b
	}
	size := int(b[eth]&0xf) * 4
	udp := eth + size
	if len(b) < udp+8+marker || binary.BigEndian.Uint16(b[eth+6:])&0x3fff != 0 || !bytes.Equal(b[udp+8:udp+8+marker], make([]byte, marker)) {
		return b // or in fragments
	}
	if src, dst := binary.BigEndian.Uint16(b[udp:]), binary.BigEndian.Uint16(b[udp+2:]); src != 500 && dst != 500 {
		return b
	}
	b = append(bytes.Clone(b[:udp+8]), b[udp+8+marker:]...)
	binary.BigEndian.PutUint16(b[eth+2:], binary.BigEndian.Uint16(b[eth+2:])-marker)
	binary.BigEndian.PutUint16(b[udp:], 4500)
	binary.BigEndian.PutUint16(b[udp+2:], 4500)
	binary.BigEndian.PutUint16(b[udp+4:], binary.BigEndian.Uint16(b[udp+4:])-marker)
	b[udp+6], b[udp+7] = 0, 0 // RFC 3948, Section 2.1
	b[eth+10], b[eth+11] = 0, 0
	var sum uint32
	for i := eth; i < udp; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(b[eth+10:], ^uint16(sum))
	return b
}

func writeCapture(t *testing.T, file string, packets []pcapng.Packet) {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	require.NoError(t, err)
	interfaces := map[string]int{}
	for _, p := range packets {
		n, known := interfaces[p.Interface]
		if !known {
			n, err = w.AddInterface(p.Interface, p.Link)
			require.NoError(t, err)
			interfaces[p.Interface] = n
		}
		require.NoError(t, w.WritePacket(n, p.At, withoutNonIKEMarker(p), p.Comment))
	}
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o666))
}

// reader dissects a capture with a profile; one map of fields per frame.
type reader func(t *testing.T, profile, capture string, more settings) []map[string]string

// settings are what a capture is read with beside its profile.
type settings struct {
	preferences []string // NAME:VALUE
	disabled    []string // protocols
}

// wiresharkProfile has Wireshark's programs read a folder as their configuration.
const wiresharkProfile = "WIRESHARK_CONFIG_DIR="

// dissected are the fields of which rows are made.
var dissected = []string{
	"frame.number", "frame.protocols", "_ws.malformed", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
	"esp.spi", "esp.icv_good", "ip.id", "frame.comment", "isakmp.flag_e", "isakmp.typepayload",
	"isakmp.ispi", "isakmp.messageid", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ah.sequence", "esp.sequence",
	"udp.payload", "udp.length", "udp.checksum", "icmpv6.checksum.status",
}

// tsharkOf is tshark as a reader.
func tsharkOf(program string) reader {
	return func(t *testing.T, profile, capture string, more settings) []map[string]string {
		return dissect(t, program, profile, capture, more)
	}
}

// inColumns are what a column of sharkd has of a field: of bytes the first 36, and of a field that is not
// of bytes or text, that it is there.
var inColumns = struct{ bytes, present *regexp.Regexp }{regexp.MustCompile(`(\b\w{72})\w+`), regexp.MustCompile(`.+`)}

// dissect runs tshark over a capture, with a profile; one map of fields per frame, in the form of sharkd's columns.
func dissect(t *testing.T, program, profile, capture string, more settings) []map[string]string {
	t.Helper()
	args := []string{"-r", capture, "-T", "fields", "-E", "separator=|"}
	for _, p := range more.preferences {
		args = append(args, "-o", p)
	}
	for _, p := range more.disabled {
		args = append(args, "--disable-protocol", p)
	}
	for _, f := range dissected {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), wiresharkProfile+profile)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var rows []map[string]string
	for line := range strings.Lines(string(out)) {
		row := map[string]string{}
		for i, v := range strings.Split(strings.TrimSuffix(line, "\n"), "|") {
			row[dissected[i]] = v
		}
		row["udp.payload"] = inColumns.bytes.ReplaceAllString(row["udp.payload"], "$1…")
		row["_ws.malformed"] = inColumns.present.ReplaceAllString(row["_ws.malformed"], "✓")
		rows = append(rows, row)
	}
	return rows
}
