package scenarios

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// tshark finds nothing malformed and no wrong checksum in a discovery, on either side of a
// box: STUN in UDP and TCP, ICMP, ESP, AH and ISAKMP, and fragments in either order.
func TestTsharkReadsADiscovery(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	all, err := spec.ParseAllFS(Catalogue(), "nat_discovery.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = Run(t.Context(), all[0], Options{Dir: dir})
	require.NoError(t, err)
	nothing := "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0"
	something := []string{
		"stun.type.class == 0x10 && stun.att.type == 0x802c", // OTHER-ADDRESS of a response
		"stun.att.change-ip == 1 && stun.att.change-port == 1", "stun.att.type == 0x0027", "stun.att.type == 0x0026", "stun && tcp",
		"stun.type.method == 0x0006", "isakmp", "esp", "ah", "icmp.type == 0", "ip.reassembled.length > 1500",
	}
	args := []string{"-n", "-q", "-r", filepath.Join(dir, "capture.pcapng"), "-z", "io,stat,0," + nothing + "," + strings.Join(something, ",")}
	for _, protocol := range []string{"ip", "udp", "tcp"} {
		args = append(args, "-o", protocol+".check_checksum:TRUE")
	}
	out, err := exec.Command(tshark, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	table := regexp.MustCompile(`(?m)^\|.*<>[^|]*\|(.*)\|$`).FindSubmatch(out) // frames and octets for each filter
	require.NotNil(t, table, string(out))
	cells := strings.Split(string(table[1]), "|")
	require.Len(t, cells, 2*(1+len(something)), string(out))
	require.Equal(t, "0", strings.TrimSpace(cells[0]), nothing)
	for i, filter := range something {
		require.NotEqual(t, "0", strings.TrimSpace(cells[2+2*i]), filter)
	}
}
