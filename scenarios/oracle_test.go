package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
)

// A host that lets a datagram out in the clear, against its policy, is caught:
// the frame that the oracle names is the leak, and it names host and rule.
func TestWireOracleCatchesALeak(t *testing.T) {
	dir := t.TempDir()
	s := load(t, "h2h_server_to_server.yaml")
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir, Faults: map[string]hosts.Faults{"solaris": {PassClear: 3}}})
	require.NoError(t, err)
	require.Equal(t, scenarios.Failed, r.Outcome)

	verdict := r.Invariants[0]
	require.Equal(t, scenarios.Failed, verdict.Outcome)
	require.Contains(t, verdict.Name, "wire oracle")
	require.Contains(t, verdict.Reason, "left solaris in the clear")
	require.Contains(t, verdict.Reason, "secure-windows/windows")

	f, err := os.Open(filepath.Join(dir, "trace.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	events, err := trace.Read(f)
	require.NoError(t, err)
	capture, err := os.Open(filepath.Join(dir, "capture.pcapng"))
	require.NoError(t, err)
	defer capture.Close()
	packets, err := pcapng.Read(capture)
	require.NoError(t, err)

	named := map[int]bool{}
	for _, e := range events {
		v, ok := e.Body.(trace.Violation)
		if !ok {
			continue
		}
		require.Equal(t, "solaris", e.Node)
		named[v.Frame] = true
	}
	require.NotEmpty(t, named)
	// Every clear frame of the host after the policies were assigned is named, and no other.
	for _, p := range packets {
		packet := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.Lazy)
		ip, ok := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		leaked := ok && ip.SrcIP.String() == "10.1.0.20" && strings.HasPrefix(p.Comment, "fault:")
		require.Equal(t, leaked, named[p.Number], "frame %d: %s", p.Number, p.Comment)
		if leaked {
			require.NotEqual(t, layers.IPProtocolESP, ip.Protocol)
		}
	}
}

// Without the fault the same scenario passes: the oracle does not cry wolf.
func TestWireOracleIsQuietWithoutALeak(t *testing.T) {
	r := scenarios.Check(t, load(t, "h2h_server_to_server.yaml"), scenarios.Options{})
	require.Equal(t, scenarios.Passed, r.Invariants[0].Outcome)
}
