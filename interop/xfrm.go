package interop

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/scenarios"
)

// blocks are ciphers with one length of keys, as Linux calls them and as package suite does.
var blocks = map[string]string{
	"cbc(des)":         "des-cbc",
	"des":              "des-cbc",
	"cbc(des3_ede)":    "3des-cbc",
	"des3_ede":         "3des-cbc",
	"ecb(cipher_null)": "null",
	"cipher_null":      "null",
}

// A mode with keys of several lengths, as Linux calls it: what package suite calls it behind
// the length, and how many bytes of the key are salt. Both append the salt to the key.
var modes = map[string]struct {
	prefix, mode string
	salt         int
	tag          bool // the name ends in the length of the tag
}{
	"cbc(aes)":          {"aes", "cbc", 0, false},
	"aes":               {"aes", "cbc", 0, false},
	"rfc3686(ctr(aes))": {"aes", "ctr", 4, false},
	"rfc4106(gcm(aes))": {"aes", "gcm", 4, true},
	"rfc4309(ccm(aes))": {"aes", "ccm", 3, true},
	"rfc4543(gcm(aes))": {"aes", "gmac", 4, false},
	"cbc(camellia)":     {"camellia", "cbc", 0, false},
	"cbc(blowfish)":     {"blowfish", "cbc", 0, false},
	"cbc(cast5)":        {"cast", "cbc", 0, false},
	"cbc(serpent)":      {"serpent", "cbc", 0, false},
	"cbc(twofish)":      {"twofish", "cbc", 0, false},
}

// chacha is RFC 7634 as Linux calls it.
const chacha = "rfc7539esp(chacha20,poly1305)"

// macs are integrity algorithms, as Linux calls them and as package suite does, without
// the bits of the check value, and the bits that Linux sends where it is not told.
var macs = map[string]struct {
	name string
	bits int
}{
	"hmac(md5)":    {"hmac-md5", 96},
	"hmac(sha1)":   {"hmac-sha1", 96},
	"hmac(sha256)": {"hmac-sha256", 96}, // of a draft; who wants RFC 4868 says 128
	"hmac(sha384)": {"hmac-sha384", 192},
	"hmac(sha512)": {"hmac-sha512", 256},
	"xcbc(aes)":    {"aes-xcbc", 96},
	"cmac(aes)":    {"aes-cmac", 96},
	"hmac(rmd160)": {"hmac-rmd160", 96},
}

// cipherName is the name of package suite, which ends in the length of an AEAD cipher's tag; what
// that has no name for is called as Linux calls it.
func cipherName(s control.State) string {
	if s.Cipher == "" {
		return ""
	}
	if s.Cipher == chacha {
		return "chacha20-poly1305"
	}
	if name, ok := blocks[s.Cipher]; ok {
		return name
	}
	m, ok := modes[s.Cipher]
	if !ok || len(s.CipherKey) <= m.salt {
		return s.Cipher
	}
	name := fmt.Sprintf("%s%d-%s", m.prefix, 8*(len(s.CipherKey)-m.salt), m.mode)
	if m.tag {
		name += fmt.Sprint(s.ICVBits / 8)
	}
	return name
}

// authName likewise. The null algorithm, which an AEAD cipher goes with, has no name.
func authName(s control.State) string {
	if s.Auth == "" || s.Auth == "digest_null" {
		return ""
	}
	m, ok := macs[s.Auth]
	if !ok {
		return s.Auth
	}
	bits := m.bits
	if s.ICVBits != 0 {
		bits = s.ICVBits
	}
	return fmt.Sprintf("%s-%d", m.name, bits)
}

// added are the SAs of a kernel as a virtual host records its own. own tells the addresses of
// the peer. Selectors are the daemon's to tell; and so is which SAs belong together, where a
// request has more than one each way.
func added(states []control.State, own func(netip.Addr) bool) (all []scenarios.PeerSA) {
	protocols := map[uint8]string{ipsec.ProtoESP: ipsec.ESP.String(), ipsec.ProtoAH: ipsec.AH.String()}
	for _, s := range states {
		protocol, ok := protocols[s.Protocol]
		if !ok || s.Cipher == "" && s.Auth == "" {
			continue // compression; or an SPI that is only reserved
		}
		direction := ipsec.Outbound
		if own(s.Dst) {
			direction = ipsec.Inbound
		}
		a := scenarios.PeerSA{Packets: s.Packets, Bytes: s.Bytes, SAAdded: trace.SAAdded{
			Direction: direction.String(), Protocol: protocol, SPI: s.SPI, PeerSPI: opposite(states, s),
			Src: s.Src.String(), Dst: s.Dst.String(), Mode: s.Mode,
			Cipher: cipherName(s), CipherKey: s.CipherKey, Auth: authName(s), AuthKey: s.AuthKey,
			Seconds: int64(s.Seconds), ESN: s.ESN, SrcPort: s.EncapSrc, DstPort: s.EncapDst,
		}}
		if a.Auth == "" {
			a.AuthKey = nil
		}
		all = append(all, a)
	}
	return all
}

// opposite is the SPI of the SA of the other direction; 0 when not exactly one can be it.
func opposite(states []control.State, s control.State) (spi uint32) {
	for _, o := range states {
		if o.Src == s.Dst && o.Dst == s.Src && o.Protocol == s.Protocol && o.ReqID == s.ReqID {
			if spi != 0 {
				return 0
			}
			spi = o.SPI
		}
	}
	return spi
}

// has reports whether prefixes are those of an interface with the address.
func has(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Addr() == a })
}
