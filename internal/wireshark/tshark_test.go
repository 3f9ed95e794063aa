package wireshark_test

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/wireshark"
)

const (
	left  = "10.0.0.1"
	right = "10.0.0.2"
)

// tshark reads frames with the profile of events and prints the fields, one line per frame.
func tshark(t *testing.T, events []trace.Event, frames [][]byte, fields ...string) []string {
	t.Helper()
	program := needs.Tool(t, "tshark")
	dir := t.TempDir()
	require.NoError(t, wireshark.WriteProfile(filepath.Join(dir, "wireshark"), events))

	var capture bytes.Buffer
	w, err := pcapng.NewWriter(&capture)
	require.NoError(t, err)
	lan, err := w.AddInterface("lan", pcapng.LinkEthernet)
	require.NoError(t, err)
	at := time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	for _, f := range frames {
		require.NoError(t, w.WritePacket(lan, at, f, ""))
	}
	file := filepath.Join(dir, "capture.pcapng")
	require.NoError(t, os.WriteFile(file, capture.Bytes(), 0o666))

	env := "WIRESHARK_CONFIG_DIR=" + filepath.Join(dir, "wireshark")
	args := []string{"-r", file, "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NotContains(t, stderr.String(), "esp_sa", "tshark complains about the table")
	require.NotContains(t, stderr.String(), "ikev1_decryption_table", "tshark complains about the table")
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// added is the event of an SA from left to right.
func added(spi uint32, cipher string, key []byte, auth string, authKey []byte) trace.Event {
	return trace.Event{Node: "left", Body: trace.SAAdded{
		Direction: "outbound", Protocol: "ESP", SPI: spi, Src: left, Dst: right, Mode: "transport",
		Cipher: cipher, CipherKey: key, Auth: auth, AuthKey: authKey,
	}}
}

func TestTsharkDecryptsEverySuite(t *testing.T) {
	ciphers := []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm16", "aes192-gcm16", "aes256-gcm16",
		"aes128-gcm12", "aes256-gcm12", "aes128-gcm8", "aes256-gcm8", "aes128-ctr", "aes192-ctr", "aes256-ctr"}
	auths := []string{"hmac-md5-96", "hmac-sha1-96", "hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256"}
	type made struct {
		name string
		data []byte
		spi  uint32
	}
	var (
		events []trace.Event
		frames [][]byte
		want   []made
	)
	seal := func(cipher string, key []byte, auth string, authKey []byte) {
		// SPIs with leading zeros and with letters: Wireshark compares them as text.
		m := made{name: cipher + "+" + auth, spi: 0x00c0ffe0 + uint32(len(want))}
		m.data = payload(m.name, 40+len(want))
		events = append(events, added(m.spi, cipher, key, auth, authKey))
		frames = append(frames, frame(left, right, 50, uint16(len(want)+1), 0, false,
			esp(t, m.spi, cipher, key, auth, authKey, 17, udp(1025, 9999, m.data))))
		want = append(want, m)
	}
	for _, name := range ciphers {
		c := suite.CipherNamed(name)
		require.NotNil(t, c, name)
		key := keyBytes(0x10, c.KeyLen+c.SaltLen)
		if c.AEAD() {
			seal(name, key, "", nil)
			continue
		}
		for _, auth := range auths {
			seal(name, key, auth, keyBytes(0x60, suite.AuthNamed(auth).KeyLen))
		}
	}
	for _, auth := range auths {
		seal("null", nil, auth, keyBytes(0x60, suite.AuthNamed(auth).KeyLen))
	}

	lines := tshark(t, events, frames, "esp.spi", "esp.icv_good", "esp.icv_bad", "udp.dstport", "data.data")
	require.Len(t, lines, len(want))
	for i, m := range want {
		f := strings.Split(lines[i], "|")
		require.Len(t, f, 5, m.name)
		require.Equal(t, []string{"1", ""}, truth(f[1:3]), "%s: the ICV is verified", m.name)
		require.Equal(t, "9999", f[3], "%s: the inner packet is decrypted", m.name)
		require.Equal(t, hex.EncodeToString(m.data), f[4], m.name)
	}
}

// truth writes a boolean field of any version of tshark (1, True) as 1, and a false or absent one as nothing.
func truth(fields []string) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		if f == "1" || f == "True" {
			out[i] = "1"
		}
	}
	return out
}

func TestTsharkCallsATamperedPacketBad(t *testing.T) {
	for _, s := range []struct{ cipher, auth string }{
		{"aes128-cbc", "hmac-sha1-96"},
		{"3des-cbc", "hmac-sha256-128"},
		{"des-cbc", "hmac-md5-96"},
		{"aes256-cbc", "hmac-sha384-192"},
		{"null", "hmac-sha512-256"},
		{"aes256-gcm16", ""},
		{"aes128-gcm12", ""},
		{"aes128-gcm8", ""},
		{"aes128-ctr", "hmac-sha1-96"},
	} {
		c := suite.CipherNamed(s.cipher)
		key := keyBytes(0x10, c.KeyLen+c.SaltLen)
		var authKey []byte
		if s.auth != "" {
			authKey = keyBytes(0x60, suite.AuthNamed(s.auth).KeyLen)
		}
		p := esp(t, 0x1000, s.cipher, key, s.auth, authKey, 17, udp(1025, 9999, payload("x", 40)))
		p[len(p)-1] ^= 1
		lines := tshark(t, []trace.Event{added(0x1000, s.cipher, key, s.auth, authKey)},
			[][]byte{frame(left, right, 50, 1, 0, false, p)}, "esp.icv_good", "esp.icv_bad")
		require.Equal(t, []string{"", "1"}, truth(strings.Split(lines[0], "|")), "%s %s", s.cipher, s.auth)
	}
}

// ESP inside AH, with integrity of its own and without: Wireshark decrypts it all the same.
func TestTsharkDecryptsESPInsideAH(t *testing.T) {
	key, authKey := keyBytes(0x10, 24), keyBytes(0x60, 20)
	data := payload("bundle", 40)
	inner := func(spi uint32, auth string, authKey []byte) []byte {
		return frame(left, right, 51, uint16(spi), 0, false,
			ah(0x9000, 50, esp(t, spi, "3des-cbc", key, auth, authKey, 17, udp(1025, 9999, data))))
	}
	lines := tshark(t, []trace.Event{
		added(0x3000, "3des-cbc", key, "hmac-sha1-96", authKey), added(0x3001, "3des-cbc", key, "", nil),
		{Node: "left", Body: trace.SAAdded{Protocol: "AH", SPI: 0x9000, Src: left, Dst: right, Auth: "hmac-sha1-96", AuthKey: authKey, Inner: 0x3000}},
	}, [][]byte{inner(0x3000, "hmac-sha1-96", authKey), inner(0x3001, "", nil)}, "ah.spi", "esp.spi", "data.data")
	require.Len(t, lines, 2)
	for i, spi := range []string{"0x00003000", "0x00003001"} {
		require.Equal(t, []string{"0x00009000", spi, hex.EncodeToString(data)}, strings.Split(lines[i], "|"))
	}
}

// What Wireshark cannot verify it decrypts all the same: with XCBC, and with extended
// sequence numbers, whose upper half it does not know. Any ICV does, then.
func TestTsharkDecryptsWithoutVerifying(t *testing.T) {
	var (
		events []trace.Event
		frames [][]byte
		want   []string
	)
	for i, s := range []struct{ cipher, auth, like string }{
		{"aes128-cbc", "aes-xcbc-96", "hmac-sha1-96"},
		{"3des-cbc", "hmac-sha1-96", "hmac-sha1-96"},
		{"null", "hmac-md5-96", "hmac-md5-96"},
		{"aes128-ctr", "hmac-sha256-128", "hmac-sha256-128"},
		{"aes256-cbc", "hmac-sha384-192", "hmac-sha384-192"},
		{"aes256-cbc", "hmac-sha512-256", "hmac-sha512-256"},
	} {
		c := suite.CipherNamed(s.cipher)
		key := keyBytes(0x10, c.KeyLen+c.SaltLen)
		data := payload(s.cipher, 40+i)
		p := esp(t, 0x4000+uint32(i), s.cipher, key, s.like, keyBytes(0x60, 64), 17, udp(1025, 9999, data))
		a := added(0x4000+uint32(i), s.cipher, key, s.auth, nil)
		body := a.Body.(trace.SAAdded)
		body.ESN = s.auth != "aes-xcbc-96"
		a.Body = body
		events, frames, want = append(events, a), append(frames, frame(left, right, 50, uint16(i+1), 0, false, p)), append(want, hex.EncodeToString(data))
	}
	for i, line := range tshark(t, events, frames, "esp.icv_good", "esp.icv_bad", "data.data") {
		f := strings.Split(line, "|")
		require.Equal(t, []string{"", ""}, truth(f[:2]), "%d: neither", i)
		require.Equal(t, want[i], f[2], "%d", i)
	}
}

func TestTsharkDecryptsFragmentsOfOneDatagram(t *testing.T) {
	key, authKey := keyBytes(0x10, 24), keyBytes(0x60, 20)
	data := payload("fragmented", 2000)
	p := esp(t, 0x2000, "3des-cbc", key, "hmac-sha1-96", authKey, 17, udp(1025, 9999, data))
	const cut = 1480
	lines := tshark(t, []trace.Event{added(0x2000, "3des-cbc", key, "hmac-sha1-96", authKey)}, [][]byte{
		frame(left, right, 50, 7, 0, true, p[:cut]),
		frame(left, right, 50, 7, cut, false, p[cut:]),
	}, "esp.icv_good", "data.data")
	require.Len(t, lines, 2)
	last := strings.Split(lines[1], "|")
	require.Equal(t, []string{"1"}, truth(last[:1]))
	require.True(t, strings.HasSuffix(last[1], hex.EncodeToString(data)), "the whole datagram is decrypted")
}

// ESP in UDP is decrypted on both sides of a NAT, on whatever ports it has there.
func TestTsharkDecryptsESPInUDP(t *testing.T) {
	key, authKey := keyBytes(0x10, 24), keyBytes(0x60, 20)
	data := payload("behind a NAT", 40)
	p := esp(t, 0x2000, "3des-cbc", key, "hmac-sha1-96", authKey, 17, udp(1025, 9999, data))
	a := added(0x2000, "3des-cbc", key, "hmac-sha1-96", authKey)
	body := a.Body.(trace.SAAdded)
	body.SrcPort, body.DstPort = 4500, 4500
	a.Body = body
	for _, line := range tshark(t, []trace.Event{a}, [][]byte{
		frame(left, right, 17, 7, 0, false, udp(4500, 4500, p)),
		frame("198.51.100.1", right, 17, 8, 0, false, udp(1024, 4500, p)),
	}, "esp.icv_good", "data.data") {
		f := strings.Split(line, "|")
		require.Equal(t, []string{"1"}, truth(f[:1]))
		require.Equal(t, hex.EncodeToString(data), f[1])
	}
}

func TestTsharkDecryptsMainMode(t *testing.T) {
	modes := []mainMode{
		{cookieI: keyBytes(0xa0, 8), cookieR: keyBytes(0xb0, 8), cipherID: 5, hashID: 2, // 3DES-CBC, SHA
			hash: sha1.New, block: des.NewTripleDESCipher, key: keyBytes(0x11, 24), identity: "client.example"},
		{cookieI: keyBytes(0x01, 8), cookieR: keyBytes(0xd0, 8), cipherID: 7, hashID: 2, keyBits: 128, // AES-CBC, SHA
			hash: sha1.New, block: aes.NewCipher, key: keyBytes(0x12, 16), identity: "aes128.example"},
		{cookieI: keyBytes(0xe0, 8), cookieR: keyBytes(0xf0, 8), cipherID: 7, hashID: 4, keyBits: 256, // AES-CBC, SHA2-256
			hash: sha256.New, block: aes.NewCipher, key: keyBytes(0x13, 32), identity: "aes256.example"},
	}
	var (
		events []trace.Event
		frames [][]byte
	)
	for _, m := range modes {
		events = append(events, trace.Event{Node: "left", Body: trace.IKEKeys{CookieI: m.cookieI, CookieR: m.cookieR, Key: m.key}})
		messages := m.messages(t)
		messages = append(messages, messages[4]) // sent again, as README.txt says: the first copy is decrypted
		for i, msg := range messages {
			src, dst := left, right
			if i == 1 || i == 3 {
				src, dst = right, left
			}
			frames = append(frames, frame(src, dst, 17, uint16(len(frames)+1), 0, false, udp(500, 500, msg)))
		}
	}
	lines := tshark(t, events, frames, "isakmp.id.data.fqdn", "isakmp.messageid")
	require.Len(t, lines, 6*len(modes))
	for i, m := range modes {
		require.Contains(t, lines[6*i+4], m.identity, "message 5 is decrypted")
	}
}
