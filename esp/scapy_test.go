package esp

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// scapyJob is one line of testdata/scapy_esp.py's input.
type scapyJob struct {
	Do        string `json:"do"` // seal or open
	Cipher    string `json:"cipher"`
	CipherKey string `json:"cipher_key"`
	Auth      string `json:"auth"`
	AuthKey   string `json:"auth_key"`
	SPI       uint32 `json:"spi"`
	Seq       uint64 `json:"seq"`
	IV        string `json:"iv"`
	Packet    string `json:"packet"`
}

// Whole packets of every suite against an independent implementation: given the
// IV, scapy seals the same bytes, and it opens ours; and we open its.
func TestAgainstScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")

	type check struct {
		suite       ipsec.Transform
		clear, ours []byte
		size        int
	}
	var checks []check
	var input strings.Builder
	enc := json.NewEncoder(&input)
	for _, tr := range suites {
		a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
		p, _ := params(tr, alice, bob, 0x1000, 0x1001)
		for seq, n := range []int{0, 1, 5, 6, 7, 8, 13, 14, 15, 16, 100, 1391, 1400} {
			// Scapy trusts no UDP checksum, and none is there: 0 says so (RFC 768).
			in := ip(alice, bob, ipsec.ProtoUDP, udp(1000, 2000, n))
			d := a.Outbound(start, in, 0)
			require.Equal(t, Protected, d.Outcome)
			require.Equal(t, Opened, b.InboundProtected(start, d.Packet).Outcome)
			head := a.sad.list[1].transform.head()
			job := scapyJob{
				Cipher: tr.Cipher, CipherKey: hex.EncodeToString(p.CipherKey), Auth: tr.Auth, AuthKey: hex.EncodeToString(p.AuthKey),
				SPI: 0x1000, Seq: uint64(seq + 1), IV: hex.EncodeToString(d.Packet[20+espHeader : 20+head]),
			}
			job.Do, job.Packet = "seal", hex.EncodeToString(in)
			require.NoError(t, enc.Encode(job))
			job.Do, job.Packet = "open", hex.EncodeToString(d.Packet)
			require.NoError(t, enc.Encode(job))
			checks = append(checks, check{tr, in, d.Packet, n})
		}
	}

	cmd := exec.Command(python, "testdata/scapy_esp.py")
	cmd.Stdin = strings.NewReader(input.String())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	line := func() []byte {
		require.True(t, lines.Scan(), complaints.String())
		return unhex(t, lines.Text())
	}
	for _, c := range checks {
		sealed := line()
		require.Equal(t, c.ours, sealed, "%v, %d bytes: scapy seals", c.suite, c.size)
		require.Equal(t, c.clear, line(), "%v, %d bytes: scapy opens ours", c.suite, c.size)
	}
	require.False(t, lines.Scan(), "no answer is left over")
}
