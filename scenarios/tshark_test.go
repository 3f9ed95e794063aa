package scenarios_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/wireshark"
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
	program := needs.Tool(t, "tshark")
	var ear listener
	t.Run("captures", func(t *testing.T) { readEveryCapture(t, program, &ear) })
	t.Run("fields", func(t *testing.T) { ear.compare(t, program) })
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

func readEveryCapture(t *testing.T, program string, ear *listener) {
	for _, s := range loadAll(t, catalogueFiles(t)...) {
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
			if sealed == "" {
				ear.add(t, s.Name, dir)
			}
			rows := dissect(t, program, dir)
			require.Equal(t, r.Frames, len(rows), "tshark sees every frame")
			esp, ike, found := 0, 0, 0
			chains := ivChains{last: map[string]string{}, read: map[string]bool{}, broken: map[string]bool{}}
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
				// A frame with the last fragment of a message has the fields of both.
				encrypted := strings.HasSuffix(row["isakmp.flag_e"], "1") || strings.HasSuffix(row["isakmp.flag_e"], "True")
				row["isakmp.ispi"], _, _ = strings.Cut(row["isakmp.ispi"], ",")
				row["isakmp.messageid"], _, _ = strings.Cut(row["isakmp.messageid"], ",")
				if encrypted && !chains.follow(row) {
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
				for _, sum := range []string{"ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmpv6.checksum.status"} {
					if quotes.MatchString(protocols) {
						continue // quotes a part of a packet
					}
					require.NotContains(t, row[sum], "0", "frame %s: %s: bad", row["frame.number"], sum)
				}
				if _, ok := known[row["esp.spi"]]; !ok && discovers {
					continue // what looks like ESP there is plain text, and of no SA
				}
				if what := known[row["esp.spi"]]; row["esp.spi"] != "" && !quotes.MatchString(protocols) && what != unknown {
					esp++
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
					require.Regexp(t, `^(132,)?((5,)?([67],)*9|5,8|8)\b`, row["isakmp.typepayload"], "frame %s: the IKE message is not decrypted", row["frame.number"])
				}
			}
			t.Logf("%d frames, %d ESP datagrams verified and decrypted, %d found altered, %d encrypted IKE messages decrypted, %d not asked about",
				r.Frames, esp, found, ike, chains.skipped)
		})
	}
}

// ivChains tells which encrypted IKE messages the dissector can be asked about. It
// takes each IV from the message that it saw before in the exchange, and the first
// of an exchange from the last of main mode. By RFC 2409, Appendix B, copies do not
// count; for the dissector they do.
type ivChains struct {
	read    map[string]bool   // messages seen, by sender and bytes
	last    map[string]string // the newest message of each exchange
	broken  map[string]bool   // exchanges in which a copy came after a newer message
	skipped int
}

// follow takes the next message in, and reports whether its IV is where the dissector looks for it.
func (c *ivChains) follow(row map[string]string) bool {
	message := row["ip.src"] + row["ipv6.src"] + " " + row["udp.payload"]
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
	c.skipped++
	return false
}

// quotes matches the protocols of an ICMP error, which has a part of a packet in it.
var quotes = regexp.MustCompile(`:icmp(v6)?:ip`)

// attackersWord is what the capture says of a frame that an attacker made or
// changed; spoilt, that it was what ESP authenticates.
var (
	attackersWord = regexp.MustCompile(`^(altered|injected|spoofed) by [^;]*`)
	spoilt        = regexp.MustCompile(`^altered.*\b(payload|icv|esp\.\w+) `)
)

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

// dissect runs tshark over a folder of evidence; one map of fields per frame.
func dissect(t *testing.T, program, dir string) []map[string]string {
	t.Helper()
	fields := []string{
		"frame.number", "frame.protocols", "_ws.malformed", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
		"esp.spi", "esp.icv_good", "ip.id", "frame.comment", "isakmp.flag_e", "isakmp.typepayload",
		"isakmp.ispi", "isakmp.messageid", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ah.sequence", "esp.sequence",
		"udp.payload", "icmpv6.checksum.status",
	}
	args := []string{"-r", filepath.Join(dir, "capture.pcapng"), "-T", "fields", "-E", "separator=|"}
	for _, check := range []string{"ip", "tcp", "udp"} {
		args = append(args, "-o", check+".check_checksum:TRUE")
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	env, err := wireshark.Env(filepath.Join(dir, "wireshark"))
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var rows []map[string]string
	for line := range strings.Lines(string(out)) {
		row := map[string]string{}
		for i, v := range strings.Split(strings.TrimSuffix(line, "\n"), "|") {
			row[fields[i]] = v
		}
		rows = append(rows, row)
	}
	return rows
}
