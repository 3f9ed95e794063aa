package mux_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// An independent decoder reads every message of a negotiation, decrypted with
// the traced key, and sees what we meant.
func TestTsharkReadsUs(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	for _, mm := range []ike.MainModeProposal{
		{Cipher: "3des-cbc", Hash: "sha1", Group: 2}, {Cipher: "aes256-cbc", Hash: "sha1", Group: 14}, {Cipher: "aes128-cbc", Hash: "sha256", Group: 5},
		{Cipher: "des-cbc", Hash: "md5", Group: 1}, {Cipher: "aes192-cbc", Hash: "sha384", Group: 15}, {Cipher: "3des-cbc", Hash: "sha512", Group: 16},
	} {
		t.Run(mm.String(), func(t *testing.T) {
			n, a, b := newPair(t)
			for _, h := range n.hosts {
				h.mainMode.Proposals = []ike.MainModeProposal{mm}
				h.quickMode.PFS = true
			}
			a.quickMode.Proposals = append([]ipsec.Proposal{proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes256-gcm16"})}, a.quickMode.Proposals...)
			b.quickMode.Proposals = []ipsec.Proposal{proposal(des3)}
			b.quickMode.Proposals[0].Lifetime = ipsec.Lifetime{Duration: 10 * time.Minute}
			b.mainMode.Lifetime, b.config.ShortenMainMode = time.Hour, true
			a.config.VendorIDs = [][]byte{[]byte("an unknown vendor")}
			a.reboot()
			b.reboot()
			a.requestFor(b, ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(b.addr), Proto: ipsec.ProtoTCP, DstPort: 1433})
			n.run(time.Second)
			n.wantPairs("a pair", 1)
			b.refuses = true
			a.request(b)
			n.run(2 * time.Second)
			for spi := range a.in {
				a.mux.DeleteSAs(n.now, b.addr, ipsec.ESP, []uint32{spi.spi})
			}
			a.mux.Shutdown(n.now)
			a.drain()
			require.Len(t, n.sent, 13)

			verbose := decoded(t, tshark, n.sent, traced[trace.IKEKeys](a)[0])
			require.NotContains(t, verbose, "Malformed")
			require.NotContains(t, verbose, "Expert Info (Error")
			for i, want := range [][]string{
				1:  {"Exchange type: Identity Protection (Main Mode) (2)", "Life-Duration: 28800", "Vendor ID: 616e20756e6b6e6f776e2076656e646f72"},
				2:  {"Payload: Security Association (1)"},
				3:  {"Payload: Key Exchange (4)", "Payload: Nonce (10)"},
				4:  {"Payload: Key Exchange (4)", "Payload: Nonce (10)"},
				5:  {"Identification Data:10.0.0.1", "Payload: Hash (8)", "INITIAL-CONTACT"},
				6:  {"Identification Data:10.0.0.2", "Payload: Hash (8)", "RESPONDER-LIFETIME"},
				7:  {"Payload: Hash (8)", "Proposal transforms: 2", "(20)", "Key-Length: 256", "3DES (3)", "Encapsulation-Mode: Transport", "SA-Life-Duration: 100000", "Protocol ID: TCP (6)", "1433"},
				8:  {"Payload: Hash (8)", "RESPONDER-LIFETIME", "SA-Life-Duration: 600"},
				9:  {"Payload: Hash (8)"},
				10: {"Exchange type: Quick Mode (32)", "Payload: Hash (8)", "Payload: Security Association (1)"},
				11: {"Exchange type: Informational (5)", "INVALID-ID-INFORMATION (18)"},
				12: {"Payload: Delete (12)", "Delete SPI:"},
				13: {"Payload: Delete (12)"},
			} {
				frame := frameOf(verbose, i)
				for _, phrase := range want {
					require.Contains(t, frame, phrase, "frame %d", i)
				}
				if i > 0 {
					require.Contains(t, frame, "Payload: ", "frame %d is decoded to payloads", i)
				}
			}
		})
	}
}

// The same over IPv6, whose addresses and subnets have identities of their own
// (RFC 2407, Sections 4.6.2.1, 4.6.2.5 and 4.6.2.6).
func TestTsharkReadsIPv6(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	n := newNetwork(t)
	a, b := n.add("a", "2001:db8:1::1", 1), n.add("b", "2001:db8:2::2", 2)
	a.requestFor(b, ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(b.addr), Proto: ipsec.ProtoUDP, DstPort: 53})
	n.run(time.Second)
	for _, h := range n.hosts {
		h.quickMode.Proposals[0].Mode = ipsec.Tunnel
	}
	a.requestFor(b, ipsec.Selector{Src: netip.MustParsePrefix("2001:db8:8::/48"), Dst: netip.MustParsePrefix("10.8.0.0/16")})
	a.requestFor(b, ipsec.Selector{Src: netip.MustParsePrefix("2001:db8:8::/48")})
	n.run(2 * time.Second)
	a.wantFailure("the networks of one pair are of one family", "INVALID-ID-INFORMATION", ike.CodeIDPayload)
	n.wantPairs("two pairs", 2)

	verbose := decoded(t, tshark, n.sent, traced[trace.IKEKeys](a)[0])
	require.NotContains(t, verbose, "Malformed")
	for i, want := range map[int][]string{
		1: {"Exchange type: Identity Protection (Main Mode) (2)"},
		5: {"ID type: IPV6_ADDR (5)", "Identification Data:2001:db8:1::1"},
		6: {"ID type: IPV6_ADDR (5)", "Identification Data:2001:db8:2::2"},
		7: {"ID type: IPV6_ADDR (5)", "Identification Data:2001:db8:1::1", "Identification Data:2001:db8:2::2", "Protocol ID: UDP (17)"},
	} {
		for _, phrase := range want {
			require.Contains(t, frameOf(verbose, i), phrase, "frame %d", i)
		}
	}
	require.Contains(t, verbose, "ID type: IPV6_ADDR_SUBNET (6)")
	require.Contains(t, verbose, "Encapsulation-Mode: Tunnel")
}

// AH and ESP in one offer, the choice of both, and CONNECTED under the message ID of the quick mode.
func TestTsharkReadsABundle(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	n, a, b := newBundle(t)
	a.quickMode.Proposals = append(a.quickMode.Proposals, proposal(ahSHA1))
	b.config.Commit = true
	b.reboot()
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a pair of each protocol", 2)
	require.Len(t, n.sent, 10)
	verbose := decoded(t, tshark, n.sent, traced[trace.IKEKeys](a)[0])
	number := regexp.MustCompile(`Proposal number: (\d+)\s+Protocol ID: (\w+)`)
	for frame, want := range map[int][][2]string{
		7: {{"1", "IPSEC_AH"}, {"1", "IPSEC_ESP"}, {"2", "IPSEC_AH"}},
		8: {{"1", "IPSEC_AH"}, {"1", "IPSEC_ESP"}},
	} {
		var got [][2]string
		for _, m := range number.FindAllStringSubmatch(frameOf(verbose, frame), -1) {
			got = append(got, [2]string{m[1], m[2]})
		}
		require.Equal(t, want, got, "frame %d", frame)
	}
	require.Contains(t, frameOf(verbose, 8), "Commit: Commit")
	require.Contains(t, frameOf(verbose, 10), "CONNECTED (16384)")
	id := regexp.MustCompile(`Message ID: (0x\w+)`)
	require.Equal(t, id.FindString(frameOf(verbose, 7)), id.FindString(frameOf(verbose, 10)))
}

// frameOf is tshark's text for one frame.
func frameOf(verbose string, number int) string {
	_, rest, _ := strings.Cut(verbose, fmt.Sprintf("Frame %d:", number))
	text, _, _ := strings.Cut(rest, "\nFrame ")
	return text
}

// decoded is tshark's text for datagrams, with the key of their main mode.
func decoded(t *testing.T, tshark string, sent []ike.Datagram, keys trace.IKEKeys) string {
	t.Helper()
	dir := t.TempDir()
	capture := filepath.Join(dir, "ike.pcap")
	writeCapture(t, capture, sent)
	table := fmt.Sprintf("%v,%v\n", keys.CookieI, keys.Key)
	config := filepath.Join(dir, "config", "wireshark")
	require.NoError(t, os.MkdirAll(config, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(config, "ikev1_decryption_table"), []byte(table), 0o644))
	return run(t, tshark, dir, "-r", capture, "-V", "-O", "isakmp")
}

func run(t *testing.T, program, home string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"))
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	require.NoError(t, cmd.Run(), problems.String())
	return out.String()
}

// writeCapture puts datagrams into frames, one per second.
func writeCapture(t *testing.T, file string, ds []ike.Datagram) {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	require.NoError(t, w.WriteFileHeader(65536, layers.LinkTypeEthernet))
	for i, d := range ds {
		if d.Local.Port() == ike.NATPort {
			d.Payload = natt.NonESP.AppendIKE(nil, d.Payload)
		}
		from, to := net.IP(d.Local.Addr().AsSlice()), net.IP(d.Remote.Addr().AsSlice())
		eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
		udp := &layers.UDP{SrcPort: layers.UDPPort(d.Local.Port()), DstPort: layers.UDPPort(d.Remote.Port())}
		var ip interface {
			gopacket.SerializableLayer
			gopacket.NetworkLayer
		} = &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from, DstIP: to}
		if d.Local.Addr().Is6() {
			eth.EthernetType = layers.EthernetTypeIPv6
			ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: from, DstIP: to}
		}
		require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
		frame := gopacket.NewSerializeBuffer()
		require.NoError(t, gopacket.SerializeLayers(frame, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, udp, gopacket.Payload(d.Payload)))
		require.NoError(t, w.WritePacket(gopacket.CaptureInfo{
			Timestamp: time.Unix(int64(i), 0), CaptureLength: len(frame.Bytes()), Length: len(frame.Bytes()),
		}, frame.Bytes()))
	}
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
}

// The attributes of XAUTH and mode config, and a private group, as an independent decoder has them.
func TestTsharkReadsTransactions(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	n, a, b := newGateway(t)
	b.xauth.Message = "Who are you?"
	a.mainMode.ModeConfig = &ike.ModeConfig{}
	b.mainMode.ModeConfig = &ike.ModeConfig{Gives: pool("10.9.0.11"), Version: "gateway 1"}
	a.mainMode.NewGroups.Propose, b.mainMode.NewGroups.Accept = privateGroup(), true
	a.quickMode.PFS, b.quickMode.PFS = true, true
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a pair", 1)
	verbose := decoded(t, tshark, n.sent, traced[trace.IKEKeys](a)[0])
	require.NotContains(t, verbose, "Malformed")
	require.NotContains(t, verbose, "Expert Info (Error")
	for i, want := range map[int][]string{
		1:  {"Authentication Method: XAUTHInitPreShared (65001)", "Vendor ID: XAUTH"},
		7:  {"Exchange type: Transaction (Config Mode) (6)", "ISAKMP_CFG_REQUEST (1)", "XAUTH TYPE: Generic (0)", "XAUTH_USER_NAME", "XAUTH_USER_PASSWORD", "Who are you?"},
		8:  {"ISAKMP_CFG_REPLY (2)", "alice", "correct horse battery staple"},
		9:  {"ISAKMP_CFG_SET (3)", "XAUTH STATUS: Success (1)"},
		10: {"ISAKMP_CFG_ACK (4)"},
		11: {"ISAKMP_CFG_REQUEST (1)", "INTERNAL_IP4_ADDRESS", "UNITY_SPLIT_INCLUDE", "APPLICATION_VERSION"},
		12: {
			"ISAKMP_CFG_REPLY (2)", "INTERNAL IP4 ADDRESS: 10.9.0.10", "INTERNAL IP4 NETMASK: 255.255.255.0", "INTERNAL IP4 DNS: 10.1.0.53",
			"INTERNAL IP4 NBNS: 10.1.0.42", "INTERNAL IP4 NBNS: 10.1.0.43", "INTERNAL ADDRESS EXPIRY (Secs): 1800",
			"INTERNAL IP4 SUBNET (IP): 10.2.0.0", "UNITY BANNER: welcome", "APPLICATION VERSION: gateway 1", "0a010000ffff00000000000000000a020000ffff0000000000000000",
		},
		13: {"Exchange type: New Group Mode (33)", "Group-Description", "32800", "Group Type: MODP", "Group-Prime", "Group Generator One: 03"},
		14: {"Exchange type: New Group Mode (33)"},
		15: {"Group-Description", "32800", "Payload: Key Exchange (4)"},
	} {
		frame := frameOf(verbose, i)
		for _, phrase := range want {
			if !strings.Contains(frame, phrase) {
				t.Errorf("frame %d has no %q:\n%s", i, phrase, frame)
			}
		}
	}
}
