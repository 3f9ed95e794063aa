package mux_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The hashes of NAT-D payloads as OpenSSL calculates them, of IPv4 and IPv6, with each hash of phase 1:
// HASH(CKY-I | CKY-R | IP | Port), first of the peer's end and then of the sender's.
func TestOpenSSLHashesNATD(t *testing.T) {
	openssl := needs.Tool(t, "openssl")
	for _, addresses := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"2001:db8:1::1", "2001:db8:2::2"}} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			n := newNetwork(t)
			a, b := n.add("a", addresses[0], 1), n.add("b", addresses[1], 2)
			for _, h := range n.hosts {
				h.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: hash, Group: 1}}
				h.config.NAT = anywhere(ike.NATRFC3947)
				h.reboot()
			}
			a.request(b)
			n.run(time.Second)
			compared := 0
			for _, d := range n.sent[2:4] {
				h, err := payload.ParseHeader(d.Payload)
				require.NoError(t, err)
				chain, _, err := payload.Parse(h.Next, d.Payload[payload.HeaderLen:])
				require.NoError(t, err)
				for i, p := range payload.All[payload.NATD](chain) {
					at := []netip.AddrPort{d.Remote, d.Local}[i]
					text := bytes.Join([][]byte{d.Payload[:16], at.Addr().AsSlice(), binary.BigEndian.AppendUint16(nil, at.Port())}, nil)
					cmd := exec.Command(openssl, "dgst", "-"+hash, "-r")
					cmd.Stdin = bytes.NewReader(text)
					out, err := cmd.Output()
					require.NoError(t, err)
					want, _, _ := strings.Cut(string(out), " ")
					require.Equal(t, want, hex.EncodeToString(p.Hash), "%s of %v", hash, at)
					compared++
				}
			}
			require.Equal(t, 4, compared)
		}
	}
}

// An independent decoder sees NAT traversal as we mean it, in each dialect, on both ports.
func TestTsharkReadsNATTraversal(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	both := ike.NATPlacement{Initiator: true, Responder: true}
	for dialect, want := range map[ike.NATDialect]struct{ vendor, natd, natoa, transport, tunnel string }{
		ike.NATDraft00:        {"draft-ietf-ipsec-nat-t-ike-00", "Payload: NAT-D (draft-ietf-ipsec-nat-t-ike-01 to 03) (130)", "Payload: NAT-OA (draft-ietf-ipsec-nat-t-ike-01 to 03) (131)", "(61444)", "(61443)"},
		ike.NATDraft02Newline: {`draft-ietf-ipsec-nat-t-ike-02\n`, "Payload: NAT-D (draft-ietf-ipsec-nat-t-ike-01 to 03) (130)", "Payload: NAT-OA (draft-ietf-ipsec-nat-t-ike-01 to 03) (131)", "(61444)", "(61443)"},
		ike.NATRFC3947:        {"RFC 3947 Negotiation of NAT-Traversal in the IKE", "Payload: NAT-D (RFC 3947) (20)", "Payload: NAT-OA (RFC 3947) (21)", "(4)", "(3)"},
	} {
		p := newPlaced(t, both, anywhere(dialect), anywhere(dialect))
		p.ask()
		p.run(time.Second)
		p.wantOneEnd(dialect.String(), false)
		require.Len(t, p.sent, 9)
		verbose := decoded(t, tshark, p.sent, traced[trace.IKEKeys](p.a)[0])
		require.NotContains(t, verbose, "Malformed")
		require.NotContains(t, verbose, "Expert Info (Error")
		for frame, phrases := range map[int][]string{
			1: {"Vendor ID: " + want.vendor}, 2: {"Vendor ID: " + want.vendor},
			3: {want.natd}, 4: {want.natd},
			5: {"Identification Data:192.168.1.2", "Port: Unused"},
			7: {want.natoa, "Encapsulation-Mode: ", want.transport, "192.168.1.2"},
			8: {want.natoa, want.transport, "10.0.0.2"},
			9: {"Payload: Hash (8)"},
		} {
			for _, phrase := range phrases {
				if text := frameOf(verbose, frame); !strings.Contains(text, phrase) {
					t.Errorf("%v: frame %d has no %q:\n%s", dialect, frame, phrase, text)
				}
			}
		}
		for frame := 5; frame <= 9; frame++ {
			require.Contains(t, frameOf(verbose, frame), "Internet Security Association and Key Management Protocol", "%v: frame %d is IKE behind the marker", dialect, frame)
		}
	}
}
