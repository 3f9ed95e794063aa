package scenarios_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
)

// scapyLayer is an SA in the input of esp/testdata/scapy_ipsec.py.
type scapyLayer struct {
	Protocol  string    `json:"protocol"`
	Cipher    string    `json:"cipher"`
	CipherKey trace.Hex `json:"cipher_key"`
	Auth      string    `json:"auth"`
	AuthKey   trace.Hex `json:"auth_key"`
	SPI       uint32    `json:"spi"`
	Seq       uint64    `json:"seq"`
	ESN       bool      `json:"esn"`
	IV        string    `json:"iv"` // to seal alone
}

// Suites that tshark does not know, and AH, whose integrity it never verifies: scapy and
// OpenSSL open each protected packet of the capture with the keys of the trace, and what
// comes out is what its sender put in.
func TestScapyReadsWhatTsharkDoesNotKnow(t *testing.T) {
	python := needs.Tool(t, "scapy")
	for _, file := range []string{
		"suite_ah_grid.yaml", "suite_combined_modes.yaml", "suite_esp_grid.yaml", "esn_across_the_wrap.yaml", "first_generation.yaml", "ah_ipv4_options.yaml",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var jobs bytes.Buffer
			var wants [][]byte
			for _, s := range loadAll(t, file) {
				if file == "suite_esp_grid.yaml" && !strings.HasSuffix(s.Name, "_xcbc") {
					continue // tshark knows it
				}
				dir := t.TempDir()
				r, err := scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir})
				require.NoError(t, err)
				require.Equal(t, scenarios.Passed, r.Outcome, s.Name)
				before := len(wants)
				wants = append(wants, scapyJobs(t, dir, &jobs)...)
				require.Greater(t, len(wants), before, "%s has protected packets", s.Name)
			}
			cmd := exec.Command(python, "../esp/testdata/scapy_ipsec.py")
			cmd.Stdin = &jobs
			var complaints strings.Builder
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			require.NoError(t, err, "%s", complaints.String())
			lines := bufio.NewScanner(bytes.NewReader(out))
			for i, want := range wants {
				require.True(t, lines.Scan())
				got, err := hex.DecodeString(lines.Text())
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(got, want), "packet %d:\n%x is not\n%x", i, got, want)
			}
			t.Logf("%d packets", len(wants))
		})
	}
}

// scapyJobs asks for every packet of a run that was captured whole on its way out; the
// answers begin with what it returns.
func scapyJobs(t *testing.T, dir string, jobs *bytes.Buffer) (wants [][]byte) {
	file, err := os.Open(filepath.Join(dir, "capture.pcapng"))
	require.NoError(t, err)
	defer file.Close()
	frames, err := pcapng.Read(file)
	require.NoError(t, err)
	log, err := os.Open(filepath.Join(dir, "trace.jsonl"))
	require.NoError(t, err)
	defer log.Close()
	events, err := trace.Read(log)
	require.NoError(t, err)

	sas := map[uint32]trace.SAAdded{}
	ask := func(packet []byte, spi uint32, seq uint64, want []byte) {
		outer, known := sas[spi]
		require.True(t, known, "SPI %#08x", spi)
		layers := []scapyLayer{layerFor(outer, seq)}
		if outer.Inner != 0 {
			layers = append([]scapyLayer{layerFor(sas[outer.Inner], seq)}, layers...) // innermost first
		}
		require.NoError(t, json.NewEncoder(jobs).Encode(map[string]any{"do": "open", "layers": layers, "tunnel": "", "packet": hex.EncodeToString(packet)}))
		wants = append(wants, want)
	}
	for _, e := range events {
		if a, ok := e.Body.(trace.SAAdded); ok {
			sas[a.SPI] = a
		}
	}
	for _, e := range events {
		if inner, ok := e.Body.(trace.Inner); ok {
			ask(frames[inner.Frame-1].Data[14:], inner.SPI, inner.Sequence, inner.Data)
		}
	}
	// The first generation has no numbers by which packets are told apart: all that is known is
	// that something sensible has to come out.
	for _, f := range frames {
		packet := f.Data[14:]
		if f.Data[12] != 8 || f.Data[13] != 0 || packet[9] != 50 && packet[9] != 51 || len(packet) < 28 {
			continue
		}
		at := 20
		if packet[9] == 51 {
			at = 24
		}
		spi := uint32(packet[at])<<24 | uint32(packet[at+1])<<16 | uint32(packet[at+2])<<8 | uint32(packet[at+3])
		if a := sas[spi]; a.Auth == "keyed-md5" || strings.HasPrefix(a.Cipher, "des-iv") {
			ask(packet, spi, 0, []byte{0x45})
		}
	}
	return wants
}

func layerFor(a trace.SAAdded, seq uint64) scapyLayer {
	return scapyLayer{Protocol: a.Protocol, Cipher: a.Cipher, CipherKey: a.CipherKey, Auth: a.Auth, AuthKey: a.AuthKey, SPI: a.SPI, Seq: seq, ESN: a.ESN}
}
