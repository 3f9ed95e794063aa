package scenarios

import (
	"os/exec"
	"path/filepath"
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
	read := func(filter string) []string {
		args := []string{
			"-n", "-r", filepath.Join(dir, "capture.pcapng"), "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Protocol", "-Y", filter,
		}
		for _, protocol := range []string{"ip", "udp", "tcp"} {
			args = append(args, "-o", protocol+".check_checksum:TRUE")
		}
		out, err := exec.Command(tshark, args...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	require.Empty(t, read("_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0"))
	for _, filter := range []string{
		"stun.type.class == 0x10 && stun.att.type == 0x802c", // OTHER-ADDRESS of a response
		"stun.att.change-ip == 1 && stun.att.change-port == 1", "stun.att.type == 0x0027", "stun.att.type == 0x0026", "stun && tcp",
		"stun.type.method == 0x0006", "isakmp", "esp", "ah", "icmp.type == 0", "ip.reassembled.length > 1500",
	} {
		require.NotEmpty(t, read(filter), filter)
	}
}
