package wireshark

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// profile is what the key events of a trace say to Wireshark.
type profile struct {
	ike, esp   table
	behindNAT  table     // rows that follow those of esp: see anywhere
	translated bool      // there is a NAT box
	unknown    []unknown // in order of appearance
	unverified []unknown // likewise: decrypted, and the ICV passed over
}

// unknown counts SAs of one kind that Wireshark has no algorithm for.
type unknown struct {
	what  string
	count int
}

// espCiphers are the names of package suite as Wireshark spells them in esp_sa.
// The key of AES-GCM is followed by its salt, as key management delivers it (RFC 4106, Section 8.1);
// a name without the length of the tag would leave the tag unverified.
var espCiphers = map[string]string{
	"":             "NULL",
	"null":         "NULL", // RFC 2410
	"des-cbc":      "DES-CBC [RFC2405]",
	"3des-cbc":     "TripleDES-CBC [RFC2451]",
	"aes128-cbc":   "AES-CBC [RFC3602]",
	"aes192-cbc":   "AES-CBC [RFC3602]",
	"aes256-cbc":   "AES-CBC [RFC3602]",
	"aes128-gcm16": "AES-GCM with 16 octet ICV [RFC4106]",
	"aes192-gcm16": "AES-GCM with 16 octet ICV [RFC4106]",
	"aes256-gcm16": "AES-GCM with 16 octet ICV [RFC4106]",
	"aes128-gcm12": "AES-GCM with 12 octet ICV [RFC4106]",
	"aes192-gcm12": "AES-GCM with 12 octet ICV [RFC4106]",
	"aes256-gcm12": "AES-GCM with 12 octet ICV [RFC4106]",
	"aes128-gcm8":  "AES-GCM with 8 octet ICV [RFC4106]",
	"aes192-gcm8":  "AES-GCM with 8 octet ICV [RFC4106]",
	"aes256-gcm8":  "AES-GCM with 8 octet ICV [RFC4106]",
	"aes128-ctr":   "AES-CTR [RFC3686]", // the nonce behind the key, RFC 3686, Section 5.1
	"aes192-ctr":   "AES-CTR [RFC3686]",
	"aes256-ctr":   "AES-CTR [RFC3686]",
}

// espAuths are the integrity algorithms of package suite as Wireshark spells them in esp_sa.
var espAuths = map[string]string{
	"":                "NULL", // an AEAD cipher, or AH around the packet
	"hmac-md5-96":     "HMAC-MD5-96 [RFC2403]",
	"hmac-sha1-96":    "HMAC-SHA-1-96 [RFC2404]",
	"hmac-sha256-128": "HMAC-SHA-256-128 [RFC4868]",
	"hmac-sha384-192": "HMAC-SHA-384-192 [RFC4868]",
	"hmac-sha512-256": "HMAC-SHA-512-256 [RFC4868]",
	"aes-xcbc-96":     unchecked(96),
}

// unchecked is what Wireshark calls an integrity check value of so many bits that it passes over.
func unchecked(bits int) string { return fmt.Sprintf("ANY %d bit authentication [no checking]", bits) }

// extended are the columns of an SA with extended sequence numbers, of which Wireshark 4.0
// does not know: what it can decrypt it cannot verify, as it lacks the upper half. It passes
// over the ICV then, which is of so many bits; false where it has no name for that, and with
// GCM, which it decrypts only if it can verify.
func extended(b trace.SAAdded) (cipher, auth string, known bool) {
	icv := map[string]int{
		"hmac-md5-96": 96, "hmac-sha1-96": 96, "aes-xcbc-96": 96, "hmac-sha256-128": 128, "hmac-sha384-192": 192, "hmac-sha512-256": 256,
	}[b.Auth]
	cipher, known = espCiphers[b.Cipher]
	if b.Auth == "" && !strings.Contains(b.Cipher, "gcm") {
		return cipher, espAuths[""], known // inside AH: there is nothing to verify
	}
	return cipher, unchecked(icv), known && icv != 0
}

func tables(events []trace.Event) profile {
	var p profile
	for _, e := range events {
		switch b := e.Body.(type) {
		case trace.IKEKeys:
			if len(b.CookieI) > 0 && len(b.Key) > 0 {
				// Both columns are bare hexadecimal. Two sides with different preshared keys give
				// one cookie two rows, of which Wireshark takes the last: the initiator's, who has
				// its keys later and encrypts message 5 with them, the only encrypted one there is.
				p.ike.add(fmt.Sprintf("%s,%s", b.CookieI, b.Key))
			}
		case trace.NATMappingAdded:
			p.translated = true
		case trace.SAAdded:
			if b.Protocol == "ESP" {
				p.addESP(b)
			}
		}
	}
	return p
}

func (p *profile) addESP(b trace.SAAdded) {
	cipher, known := espCiphers[b.Cipher]
	auth, knownAuth := espAuths[b.Auth]
	what := b.Cipher
	if b.Auth != "" {
		what += " with " + b.Auth
	}
	if b.ESN {
		cipher, auth, known = extended(b)
		knownAuth = known
		what += ", extended sequence numbers"
	}
	if !known || !knownAuth {
		p.addUnknown(what)
		return
	}
	if strings.HasPrefix(auth, "ANY") {
		p.addUnverified(what)
	}
	family := "IPv4"
	if strings.Contains(b.Src, ":") {
		family = "IPv6"
	}
	row := func(src, dst string) string {
		return strings.Join([]string{
			quote(family), quote(src), quote(dst), quote(fmt.Sprintf("0x%08x", b.SPI)),
			quote(cipher), quote(key(b.CipherKey)), quote(auth), quote(key(b.AuthKey)),
		}, ",")
	}
	if b.DstPort != 0 { // a NAT is on the path: on each side of it the packets have other addresses
		p.esp.add(row("*", "*"))
		return
	}
	p.esp.add(row(b.Src, b.Dst))
	p.behindNAT.add(row("*", "*"))
}

// anywhere are rows for the ESP that a NAT box passes through without UDP, which has other addresses
// on each side of it as well. Wireshark takes the first row that fits.
func (p *profile) anywhere() []string {
	if !p.translated {
		return nil
	}
	return p.behindNAT.rows
}

func (p *profile) addUnknown(what string)    { p.unknown = counted(p.unknown, what) }
func (p *profile) addUnverified(what string) { p.unverified = counted(p.unverified, what) }

func counted(all []unknown, what string) []unknown {
	for i := range all {
		if all[i].what == what {
			all[i].count++
			return all
		}
	}
	return append(all, unknown{what, 1})
}

// key is a key as esp_sa wants it; an empty string is no key.
func key(k trace.Hex) string {
	if len(k) == 0 {
		return ""
	}
	return "0x" + k.String()
}

// quote makes a string column of a table; Wireshark reads \xHH in one.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
