package wireshark_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/wireshark"
)

// written is a file of the profile of events, without comment lines.
func written(t *testing.T, events []trace.Event, name string) []string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "wireshark")
	require.NoError(t, wireshark.WriteProfile(dir, events))
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestRowsStandInOrderOfUseAndOnce(t *testing.T) {
	in := added(0xabc, "3des-cbc", []byte{1, 2}, "hmac-sha1-96", []byte{3})
	other := in
	body := in.Body.(trace.SAAdded)
	body.Direction = "inbound"
	other.Node, other.Body = "right", body
	keys := trace.IKEKeys{CookieI: []byte{9, 8}, CookieR: []byte{7}, Key: []byte{1, 2, 3}}
	events := []trace.Event{
		{Node: "left", Body: keys}, {Node: "right", Body: keys},
		added(0xfff, "aes128-gcm16", []byte{0xaa, 0xbb}, "", nil), in, other,
		{Body: trace.SAAdded{Protocol: "AH", SPI: 1}},
		{Body: trace.Step{Index: 1}},
	}
	require.Equal(t, []string{"0908,010203"}, written(t, events, "ikev1_decryption_table"))
	require.Equal(t, []string{
		`"IPv4","10.0.0.1","10.0.0.2","0x00000fff","AES-GCM with 16 octet ICV [RFC4106]","0xaabb","NULL",""`,
		`"IPv4","10.0.0.1","10.0.0.2","0x00000abc","TripleDES-CBC [RFC2451]","0x0102","HMAC-SHA-1-96 [RFC2404]","0x03"`,
	}, written(t, events, "esp_sa"))
}

func TestUnknownAlgorithmIsNamedNotGuessed(t *testing.T) {
	events := []trace.Event{
		added(1, "rot13", []byte{1}, "hmac-sha1-96", []byte{2}),
		added(2, "rot13", []byte{1}, "hmac-sha1-96", []byte{2}),
	}
	extended := func(cipher, auth string) trace.Event {
		e := added(3, cipher, []byte{1}, auth, []byte{2})
		body := e.Body.(trace.SAAdded)
		body.ESN = true
		e.Body = body
		return e
	}
	require.Empty(t, written(t, append(events, extended("aes128-gcm16", ""), extended("rot13", "")), "esp_sa"))
	readme := strings.Join(written(t, append(events, added(4, "aes128-gmac", nil, "", nil), extended("aes128-gcm16", ""), extended("3des-cbc", "hmac-sha1-96")), "README.txt"), "\n")
	require.Contains(t, readme, "Left out, because Wireshark cannot decode it: rot13 with hmac-sha1-96 (2)")
	require.Contains(t, readme, "Left out, because Wireshark cannot decode it: aes128-gmac (1)")
	require.Contains(t, readme, "Left out, because Wireshark cannot decode it: aes128-gcm16, extended sequence numbers (1)")
	require.Contains(t, readme, "Decrypted and not verified, because Wireshark cannot: 3des-cbc with hmac-sha1-96, extended sequence numbers (1)")
}

func TestHostileNamesCannotAddRows(t *testing.T) {
	e := added(1, "3des-cbc", []byte{1}, "hmac-sha1-96", []byte{2})
	body := e.Body.(trace.SAAdded)
	body.Src = "10.0.0.1\",\"x\n\"IPv4\""
	e.Body = body
	rows := written(t, []trace.Event{e}, "esp_sa")
	require.Len(t, rows, 1)
	require.Contains(t, rows[0], `"10.0.0.1\x22,\x22x\x0a\x22IPv4\x22"`)
}

func TestProfileWithoutKeysHasEmptyTables(t *testing.T) {
	require.Empty(t, written(t, nil, "esp_sa"))
	require.Empty(t, written(t, nil, "ikev1_decryption_table"))
	require.Contains(t, written(t, nil, "preferences"), "esp.enable_authentication_check: TRUE")
}

func TestWriteProfileSaysWhereItFailed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	require.ErrorContains(t, wireshark.WriteProfile(filepath.Join(file, "wireshark"), nil), "wireshark: making the profile folder")
}
