package scenarios_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
)

// A monitor that parses ESP without encryption, as Network Monitor 2.1 is said to (C202): tshark
// with heuristics of its own, and no keys, takes the same packets of the catalogue for ESP without
// encryption as the inspector on the way, and finds the same protocols inside. It does not know AES-GMAC.
func TestTsharkFindsESPWithoutEncryption(t *testing.T) {
	program := needs.Tool(t, "tshark")
	all, err := scenarios.LoadAllFS(scenarios.Catalogue(), "observer_ids_esp_null.yaml")
	require.NoError(t, err)
	for _, s := range all {
		_, cell, _ := strings.Cut(s.Name, "/")
		if cell == "gmac" || cell == "unaware" { // the other one knows it
			continue
		}
		t.Run(cell, func(t *testing.T) {
			dir := t.TempDir()
			_, err := scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir})
			require.NoError(t, err)
			f, err := os.Open(filepath.Join(dir, "observers.json"))
			require.NoError(t, err)
			defer f.Close()
			observers, err := result.ReadObservers(f)
			require.NoError(t, err)
			require.Len(t, observers, 1)
			var esp uint64
			for _, c := range observers[0].Counts {
				if c.Name == "esp" {
					esp = c.Packets
				}
			}
			out, err := exec.Command(program, "-r", filepath.Join(dir, "capture.pcapng"), "-o", "esp.enable_null_encryption_decode_heuristic:TRUE",
				"-Y", "ip.proto == 50", "-T", "fields", "-e", "frame.protocols").Output()
			require.NoError(t, err)
			inside := map[string]uint64{}
			for line := range strings.Lines(string(out)) {
				_, rest, _ := strings.Cut(strings.TrimSpace(line), ":esp")
				inside[strings.Split(rest+":", ":")[1]]++
			}
			// The capture has each packet twice, before the router and behind it.
			read := esp - observers[0].Reading.Opaque.Packets
			require.Equal(t, 2*read, inside["tcp"]+inside["udp"]+inside["icmp"])
			require.Equal(t, 2*(esp-read), inside[""])
			if read > 0 {
				require.Equal(t, []uint64{4, 4}, []uint64{inside["udp"], inside["icmp"]})
			}
		})
	}
}
