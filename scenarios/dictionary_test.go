package scenarios_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// overheard are the ISAKMP datagrams of a capture, in order: all that a listener has.
func overheard(t *testing.T, file string) (all [][]byte) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for {
		frame, _, err := r.ReadPacketData()
		if err != nil {
			return all
		}
		if udp, ok := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeUDP).(*layers.UDP); ok && udp.DstPort == 500 {
			all = append(all, udp.Payload)
		}
	}
}

// payloadsOf are the bodies of the payloads of a message in the clear, by type; nothing of an encrypted one.
func payloadsOf(m []byte) map[byte][]byte {
	all := map[byte][]byte{}
	next, rest := m[16], m[28:]
	for m[19]&1 == 0 && next != 0 && len(rest) >= 4 {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		all[next] = rest[4:n]
		next, rest = rest[0], rest[n:]
	}
	return all
}

// guess tries keys at the hash of an aggressive mode (RFC 2409, Section 5.4), with nothing
// but the capture; "" when none fits, or there is no hash to try them at.
func guess(t *testing.T, messages [][]byte, keys []string) string {
	const sa, ke, id, hash, nonce = 1, 4, 5, 8, 10
	prf := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha1.New, key)
		h.Write(bytes.Join(parts, nil))
		return h.Sum(nil)
	}
	one, two := payloadsOf(messages[0]), payloadsOf(messages[1])
	if two[hash] == nil {
		return ""
	}
	cookieI, cookieR := messages[1][:8], messages[1][8:16]
	for _, key := range keys {
		skeyid := prf([]byte(key), one[nonce], two[nonce])
		if hmac.Equal(prf(skeyid, two[ke], one[ke], cookieR, cookieI, one[sa], two[id]), two[hash]) {
			return key
		}
	}
	return ""
}

// C229: whoever has overheard an aggressive mode tries words at it, offline. A phrase that
// stands in a list is found, a random key is not; and a main mode gives nothing to try them
// at: its hashes and names are under keys from a Diffie–Hellman exchange.
func TestDictionaryAttack(t *testing.T) {
	words := []string{"letmein", "the quick brown fox jumps over the lazy dog", "correct horse battery stable", "correct horse battery staple", "to be or not to be, that is the question"}
	cells := loadAll(t, "remote_aggressive.yaml")
	require.Len(t, cells, 3)
	for _, s := range cells {
		cell := strings.TrimPrefix(s.Name, "remote_aggressive/")
		want, ok := map[string]struct {
			key   string
			named bool
		}{
			"aggressive": {"correct horse battery staple", true},
			"strong-key": {"", true},
			"main":       {"", false},
		}[cell]
		require.True(t, ok, s.Name)
		t.Run(cell, func(t *testing.T) {
			dir := t.TempDir()
			require.Equal(t, scenarios.Passed, scenarios.Check(t, s, scenarios.Options{Dir: dir}).Outcome)
			messages := overheard(t, filepath.Join(dir, "capture.pcapng"))
			require.Equal(t, want.key, guess(t, messages, words))
			require.Equal(t, want.named, bytes.Contains(bytes.Join(messages, nil), []byte("branch-office")), "the group's name on the wire")
			if cell == "strong-key" { // the method is right: who has the key sees that it fits
				const key = "Zq7!mW2#xV9$kR4%tB6^nJ8&dL3*"
				require.Equal(t, key, guess(t, messages, append(words, key)))
			}
		})
	}
}
