package interop

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/scenarios"
)

// Names and lengths of keys are those of package suite, so that what a kernel tells and what a virtual
// host tells of one SA can be compared.
func TestNamesOfTheKernel(t *testing.T) {
	for _, c := range []struct {
		cipher string
		key    int // bytes, with the salt
		auth   string
		icv    int // bits
		want   string
	}{
		{"cbc(des)", 8, "hmac(md5)", 96, "des-cbc hmac-md5-96"},
		{"cbc(des3_ede)", 24, "hmac(sha1)", 96, "3des-cbc hmac-sha1-96"},
		{"des3_ede", 24, "hmac(sha1)", 0, "3des-cbc hmac-sha1-96"},
		{"cbc(aes)", 16, "hmac(sha256)", 128, "aes128-cbc hmac-sha256-128"},
		{"cbc(aes)", 24, "hmac(sha384)", 192, "aes192-cbc hmac-sha384-192"},
		{"cbc(aes)", 32, "hmac(sha512)", 256, "aes256-cbc hmac-sha512-256"},
		{"rfc3686(ctr(aes))", 20, "xcbc(aes)", 96, "aes128-ctr aes-xcbc-96"},
		{"rfc4106(gcm(aes))", 36, "", 128, "aes256-gcm16 "},
		{"rfc4106(gcm(aes))", 28, "", 96, "aes192-gcm12 "},
		{"rfc4106(gcm(aes))", 20, "", 64, "aes128-gcm8 "},
		{"rfc4309(ccm(aes))", 19, "", 128, "aes128-ccm16 "},
		{"rfc4543(gcm(aes))", 20, "", 128, "aes128-gmac "},
		{"rfc7539esp(chacha20,poly1305)", 36, "", 128, "chacha20-poly1305 "},
		{"ecb(cipher_null)", 0, "hmac(sha1)", 96, "null hmac-sha1-96"},
	} {
		s := control.State{Cipher: c.cipher, CipherKey: make([]byte, c.key), Auth: c.auth, ICVBits: c.icv}
		require.Equal(t, c.want, cipherName(s)+" "+authName(s), c.cipher)
		known := suite.CipherNamed(cipherName(s))
		require.NotNil(t, known, c.want)
		require.Equal(t, known.KeyLen+known.SaltLen, c.key, c.want)
		if name := authName(s); name != "" {
			require.NotNil(t, suite.AuthNamed(name), name)
		}
	}
	// What package suite does not have keeps a name that says what it is.
	require.Equal(t, "camellia256-cbc", cipherName(control.State{Cipher: "cbc(camellia)", CipherKey: make([]byte, 32)}))
	require.Equal(t, "cts(cbc(aes))", cipherName(control.State{Cipher: "cts(cbc(aes))", CipherKey: make([]byte, 32)}))
	require.Equal(t, "hmac(sm3)", authName(control.State{Auth: "hmac(sm3)"}))
	require.Equal(t, "hmac-sha256-96", authName(control.State{Auth: "hmac(sha256)"}))
	require.Equal(t, "rfc4106(gcm(aes))", cipherName(control.State{Cipher: "rfc4106(gcm(aes))", CipherKey: make([]byte, 3)}), "a key shorter than its salt")
}

func TestAddedAndExplained(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	key, mac := bytes.Repeat([]byte{1}, 24), bytes.Repeat([]byte{2}, 20)
	states := []control.State{
		{Src: a, Dst: b, Protocol: 50, SPI: 7, Mode: "transport", ReqID: 1, Cipher: "cbc(des3_ede)", CipherKey: key, Auth: "hmac(sha1)", AuthKey: mac, ICVBits: 96, Seconds: 3600, Packets: 5, Bytes: 600},
		{Src: b, Dst: a, Protocol: 50, SPI: 8, Mode: "transport", ReqID: 1, Cipher: "cbc(des3_ede)", CipherKey: key, Auth: "hmac(sha1)", AuthKey: mac, ICVBits: 96, EncapSrc: 4500, EncapDst: 1025},
		{Src: b, Dst: a, Protocol: 50, SPI: 9, ReqID: 2},                      // reserved by a negotiation
		{Src: b, Dst: a, Protocol: 108, SPI: 10, ReqID: 1, Cipher: "deflate"}, // compression
		{Src: a, Dst: b, Protocol: 51, SPI: 11, Mode: "tunnel", ReqID: 3, Auth: "hmac(md5)", AuthKey: mac[:16], ICVBits: 96},
	}
	own := func(x netip.Addr) bool { return has([]netip.Prefix{netip.PrefixFrom(a, 24)}, x) }
	all := added(states, own)
	require.Equal(t, []scenarios.PeerSA{
		{SAAdded: trace.SAAdded{Direction: "outbound", Protocol: "ESP", SPI: 7, PeerSPI: 8, Src: "10.0.0.1", Dst: "10.0.0.2", Mode: "transport",
			Cipher: "3des-cbc", CipherKey: key, Auth: "hmac-sha1-96", AuthKey: mac, Seconds: 3600}, Packets: 5, Bytes: 600},
		{SAAdded: trace.SAAdded{Direction: "inbound", Protocol: "ESP", SPI: 8, PeerSPI: 7, Src: "10.0.0.2", Dst: "10.0.0.1", Mode: "transport",
			Cipher: "3des-cbc", CipherKey: key, Auth: "hmac-sha1-96", AuthKey: mac, SrcPort: 4500, DstPort: 1025}},
		{SAAdded: trace.SAAdded{Direction: "outbound", Protocol: "AH", SPI: 11, Src: "10.0.0.1", Dst: "10.0.0.2", Mode: "tunnel", Auth: "hmac-md5-96", AuthKey: mac[:16]}},
	}, all)

	told := []scenarios.PeerSA{
		{SAAdded: trace.SAAdded{Direction: "outbound", Protocol: "ESP", SPI: 7, PeerSPI: 12, Selector: "udp 10.0.0.1 > 10.0.0.2", Rule: "r", Initiator: true, Cipher: "what charon says"}},
		{SAAdded: trace.SAAdded{Direction: "inbound", Protocol: "ESP", SPI: 99, Selector: "of an SA that the kernel has not"}},
	}
	all = explained(all, told)
	require.Len(t, all, 3)
	require.Equal(t, "udp 10.0.0.1 > 10.0.0.2", all[0].Selector)
	require.EqualValues(t, 12, all[0].PeerSPI, "the daemon knows the pairs")
	require.True(t, all[0].Initiator)
	require.Equal(t, "3des-cbc", all[0].Cipher, "the kernel knows what it does")
	require.Empty(t, all[1].Selector)
}

func TestSelectorInOurWords(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"10.0.0.1/32", "10.0.0.2/32", "any 10.0.0.1 > 10.0.0.2"},
		{"10.0.0.1/32[tcp]", "10.0.0.2/32[tcp/80]", "tcp 10.0.0.1 > 10.0.0.2:80"},
		{"10.1.0.0/24", "0.0.0.0/0", "any 10.1.0.0/24 > any"},
		{"10.0.0.1/32[icmp]", "10.0.0.2/32[icmp]", "icmp 10.0.0.1 > 10.0.0.2"},
		{"10.0.0.1/32[99]", "10.0.0.2/32[99]", "99 10.0.0.1 > 10.0.0.2"},
		{"fd00::1/128[udp/500]", "fd00::2/128[udp]", "udp [fd00::1]:500 > fd00::2"},
		// Forms that ours have not stay as they are.
		{"10.0.0.1/32[tcp/1-5]", "10.0.0.2/32", "10.0.0.1/32[tcp/1-5] > 10.0.0.2/32"},
		{"10.0.0.1..10.0.0.9", "10.0.0.2/32", "10.0.0.1..10.0.0.9 > 10.0.0.2/32"},
		{"10.0.0.1/32[tcp/80", "10.0.0.2/32", "10.0.0.1/32[tcp/80 > 10.0.0.2/32"},
	} {
		require.Equal(t, c.want, selector([]string{c.from}, []string{c.to}))
	}
	require.Equal(t, "a, b > c", selector([]string{"a", "b"}, []string{"c"}))
	require.Equal(t, " > ", selector(nil, nil))
}
