package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

func esp(cipher, auth string, seconds int, kilobytes uint64) ipsec.Proposal {
	return ipsec.Proposal{
		Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: cipher, Auth: auth}},
		Lifetime:   ipsec.Lifetime{Duration: time.Duration(seconds) * time.Second, Kilobytes: kilobytes},
		Mode:       ipsec.Transport,
	}
}

// with puts AH around the proposal; ah alone is AH around nothing.
func with(auth string, p ipsec.Proposal) ipsec.Proposal {
	p.Transforms = append(p.Transforms, ipsec.Transform{Protocol: ipsec.AH, Auth: auth})
	return p
}

// extended gives all of a proposal extended sequence numbers.
func extended(p ipsec.Proposal) ipsec.Proposal {
	for i := range p.Transforms {
		p.Transforms[i].ESN = true
	}
	return p
}

func ah(auth string, seconds int, kilobytes uint64) ipsec.Proposal {
	p := esp("", "", seconds, kilobytes)
	p.Transforms = nil
	return with(auth, p)
}

func TestParseSecurityMethod(t *testing.T) {
	for s, want := range map[string]ipsec.Proposal{
		"AH[MD5]":                         ah("hmac-md5-96", 3600, 100000),
		"AH[SHA1]:20480k/300s":            ah("hmac-sha1-96", 300, 20480),
		"ESP[DES,MD5]":                    esp("des-cbc", "hmac-md5-96", 3600, 100000),
		"ESP[NONE,SHA1]:1k/2s":            esp("null", "hmac-sha1-96", 2, 1),
		"ESP[None,MD5]":                   esp("null", "hmac-md5-96", 3600, 100000),
		"AH[SHA1]+ESP[DES,MD5]":           with("hmac-sha1-96", esp("des-cbc", "hmac-md5-96", 3600, 100000)),
		"AH[SHA1]+ESP[3DES,None]:100000k": with("hmac-sha1-96", esp("3des-cbc", "", 3600, 100000)),
		"ah[sha1]+esp[3des,sha1]:7k/9s":   with("hmac-sha1-96", esp("3des-cbc", "hmac-sha1-96", 9, 7)),
		"AH[MD5]+ESP[None,SHA1]":          with("hmac-md5-96", esp("null", "hmac-sha1-96", 3600, 100000)),
		// beyond Windows Server 2003
		"AH[SHA256]":                           ah("hmac-sha256-128", 3600, 100000),
		"AH[SHA384]":                           ah("hmac-sha384-192", 3600, 100000),
		"AH[SHA512]":                           ah("hmac-sha512-256", 3600, 100000),
		"ESP[AES128,SHA384]":                   esp("aes128-cbc", "hmac-sha384-192", 3600, 100000),
		"ESP[AES256,SHA512]":                   esp("aes256-cbc", "hmac-sha512-256", 3600, 100000),
		"AH[SHA512]+ESP[AES256-GCM]":           with("hmac-sha512-256", esp("aes256-gcm16", "", 3600, 100000)),
		"ESP[AES128-CTR,SHA1]":                 esp("aes128-ctr", "hmac-sha1-96", 3600, 100000),
		"ESP[AES128-CCM8]":                     esp("aes128-ccm8", "", 3600, 100000),
		"ESP[aes192-ccm12]:5s":                 esp("aes192-ccm12", "", 5, 100000),
		"ESP[AES256-GCM16]":                    esp("aes256-gcm16", "", 3600, 100000),
		"ESP[AES256-GCM8]":                     esp("aes256-gcm8", "", 3600, 100000),
		"ESP[AES128-GMAC]":                     esp("aes128-gmac", "", 3600, 100000),
		"ESP[AES256,AES128-XCBC]":              esp("aes256-cbc", "aes-xcbc-96", 3600, 100000),
		"AH[AES128-XCBC]":                      ah("aes-xcbc-96", 3600, 100000),
		"AH[AES192-GMAC]":                      ah("aes192-gmac", 3600, 100000),
		"AH[KPDK]":                             ah("keyed-md5", 3600, 100000),
		"ESP[DES-IV32]":                        esp("des-iv32", "", 3600, 100000),
		"AH[KPDK]+ESP[DES-IV64]":               with("keyed-md5", esp("des-iv64", "", 3600, 100000)),
		"AH[SHA1,ESN]":                         extended(ah("hmac-sha1-96", 3600, 100000)),
		"ESP[3DES,SHA1,ESN]:7k/9s":             extended(esp("3des-cbc", "hmac-sha1-96", 9, 7)),
		"ESP[AES128-GCM,esn]":                  extended(esp("aes128-gcm16", "", 3600, 100000)),
		"AH[SHA1,ESN]+ESP[AES128,None,ESN]:1s": extended(with("hmac-sha1-96", esp("aes128-cbc", "", 1, 100000))),
		// as `netsh ipsec static add filteraction` documents them
		"ESP[3DES,SHA1]:100000k/3600s": esp("3des-cbc", "hmac-sha1-96", 3600, 100000),
		"esp[3des,sha1]:100000K/900S":  esp("3des-cbc", "hmac-sha1-96", 900, 100000),
		// KB2790970: what is not named keeps its default
		"ESP[3DES,SHA1]":          esp("3des-cbc", "hmac-sha1-96", 3600, 100000),
		"ESP[3DES,SHA1]:20480k":   esp("3des-cbc", "hmac-sha1-96", 3600, 20480),
		"ESP[3DES,SHA1]:300s":     esp("3des-cbc", "hmac-sha1-96", 300, 100000),
		"ESP[3DES,SHA1]:0k/3600s": esp("3des-cbc", "hmac-sha1-96", 3600, 0),
		// beyond Windows Server 2003
		"ESP[AES256,SHA256]:4294967295k/4294967295s": esp("aes256-cbc", "hmac-sha256-128", 1<<32-1, 1<<32-1),
		"ESP[AES192,SHA1]":                           esp("aes192-cbc", "hmac-sha1-96", 3600, 100000),
		"ESP[AES128-GCM]:1k/1s":                      esp("aes128-gcm16", "", 1, 1),
		"ESP[aes256-gcm]":                            esp("aes256-gcm16", "", 3600, 100000),
		"ESP[AES192-GCM]:0k/0s":                      esp("aes192-gcm16", "", 0, 0),
		"ESP[AES128,SHA256]:00001s":                  esp("aes128-cbc", "hmac-sha256-128", 1, 100000),
		"ESP[AES128,SHA256]:7k/008s":                 esp("aes128-cbc", "hmac-sha256-128", 8, 7),
	} {
		got, err := ParseSecurityMethod(s)
		require.NoError(t, err)
		require.Equal(t, want, got, s)
	}
}

func TestParseSecurityMethodErrors(t *testing.T) {
	const (
		ciphers = "supported: DES, 3DES, AES128, AES192, AES256, AES128-GCM, AES192-GCM, AES256-GCM, " +
			"AES128-CTR, AES128-GMAC, AES128-GCM8, AES128-GCM12, AES128-GCM16, AES128-CCM8, AES128-CCM12, AES128-CCM16, " +
			"DES-IV32, DES-IV64, None, and the same of AES192 and AES256"
		auths     = "supported: MD5, SHA1, SHA256, SHA384, SHA512, AES128-XCBC"
		ahAuths   = auths + ", AES128-GMAC, AES192-GMAC, AES256-GMAC, KPDK"
		protocols = "supported: ESP, AH, AH and ESP"
		together  = "AH and ESP together are written AH[SHA1]+ESP[3DES,SHA1]"
	)
	for s, want := range map[string]string{
		"":                                  `"", column 1: it is empty`,
		"ESP[3DES,SHA1]+AH[SHA1]":           `"ESP[3DES,SHA1]+AH[SHA1]", column 16: ` + together,
		"AH[SHA1]+AH[SHA1]":                 `"AH[SHA1]+AH[SHA1]", column 10: ` + together,
		"ESP[DES,MD5]+ESP[DES,MD5]":         `"ESP[DES,MD5]+ESP[DES,MD5]", column 14: ` + together,
		"AH[MD5]+ESP[DES,MD5]+ESP[DES,MD5]": `"AH[MD5]+ESP[DES,MD5]+ESP[DES,MD5]", column 22: ` + together,
		"AH[MD5]+":                          `"AH[MD5]+", column 9: unknown protocol ""; ` + protocols,
		"AH":                                `"AH", column 3: expected [ and the algorithms, as in AH[SHA1]`,
		"AH[]":                              `"AH[]", column 4: unknown integrity ""; ` + ahAuths,
		"AH[None]":                          `"AH[None]", column 4: unknown integrity "None"; ` + ahAuths,
		"AH[3DES]":                          `"AH[3DES]", column 4: unknown integrity "3DES"; ` + ahAuths,
		"AH[3DES,SHA1]":                     `"AH[3DES,SHA1]", column 4: unknown integrity "3DES"; ` + ahAuths,
		"AH[SHA1,SHA1]":                     `"AH[SHA1,SHA1]", column 8: expected ]`,
		"ESP[None,None]":                    `"ESP[None,None]", column 10: ESP needs encryption or integrity`,
		"AH[SHA1]+ESP[None,None]":           `"AH[SHA1]+ESP[None,None]", column 19: ESP needs encryption or integrity`,
		"IPCOMP[x]":                         `"IPCOMP[x]", column 1: unknown protocol "IPCOMP"; ` + protocols,
		" ESP[3DES,SHA1]":                   `" ESP[3DES,SHA1]", column 1: unknown protocol " ESP"; ` + protocols,
		"ESP":                               `"ESP", column 4: expected [ and the algorithms, as in ESP[3DES,SHA1]`,
		"ESP:1k/1s":                         `"ESP:1k/1s", column 4: expected [ and the algorithms, as in ESP[3DES,SHA1]`,
		"ESP[BLOWFISH,SHA1]":                `"ESP[BLOWFISH,SHA1]", column 5: unknown encryption "BLOWFISH"; ` + ciphers,
		"ESP[SHA1,3DES]":                    `"ESP[SHA1,3DES]", column 5: unknown encryption "SHA1"; ` + ciphers,
		"ESP[]":                             `"ESP[]", column 5: unknown encryption ""; ` + ciphers,
		"ESP[3DES,NONE]":                    `"ESP[3DES,NONE]", column 10: unsupported: ESP without integrity, unless inside AH, as in AH[SHA1]+ESP[3DES,None]`,
		"ESP[3DES, SHA1]":                   `"ESP[3DES, SHA1]", column 10: unknown integrity " SHA1"; ` + auths + ", None",
		"ESP[3DES]":                         `"ESP[3DES]", column 9: expected a comma and the integrity algorithm, as in ESP[3DES,SHA1]`,
		"ESP[AES128-GCM,SHA1]":              `"ESP[AES128-GCM,SHA1]", column 15: AES128-GCM has integrity of its own and takes no algorithm for it: write ESP[AES128-GCM]`,
		"ESP[AES128-CCM8,None]":             `"ESP[AES128-CCM8,None]", column 16: AES128-CCM8 has integrity of its own and takes no algorithm for it: write ESP[AES128-CCM8]`,
		"ESP[DES-IV32,MD5]":                 `"ESP[DES-IV32,MD5]", column 13: DES-IV32 takes no integrity algorithm: write ESP[DES-IV32], which AH may be around`,
		"ESP[DES-IV32,ESN]":                 `"ESP[DES-IV32,ESN]", column 14: packets of the first generation have no sequence number to extend`,
		"AH[KPDK,ESN]":                      `"AH[KPDK,ESN]", column 9: packets of the first generation have no sequence number to extend`,
		"AH[SHA1,ESNx]":                     `"AH[SHA1,ESNx]", column 12: expected ]`,
		"ESP[ESN]":                          `"ESP[ESN]", column 5: unknown encryption "ESN"; ` + ciphers,
		"ESP[3DES,ESN]":                     `"ESP[3DES,ESN]", column 10: unknown integrity "ESN"; ` + auths + ", None",
		"ESP[AES128-CTR]":                   `"ESP[AES128-CTR]", column 15: expected a comma and the integrity algorithm, as in ESP[3DES,SHA1]`,
		"ESP[AES128-CTR,None]":              `"ESP[AES128-CTR,None]", column 16: AES128-CTR needs an integrity algorithm in ESP (RFC 3686, Section 7)`,
		"AH[SHA1]+ESP[AES128-CTR,None]":     `"AH[SHA1]+ESP[AES128-CTR,None]", column 25: AES128-CTR needs an integrity algorithm in ESP (RFC 3686, Section 7)`,
		"ESP[AES128,AES128-GMAC]":           `"ESP[AES128,AES128-GMAC]", column 12: unknown integrity "AES128-GMAC"; ` + auths + ", None",
		"ESP[ChaCha20-Poly1305]":            `"ESP[ChaCha20-Poly1305]", column 5: unsupported: encryption ChaCha20-Poly1305: IKEv1 has no number for ChaCha20-Poly1305: RFC 7634 assigns one for IKEv2 alone; ` + ciphers,
		"ESP[Camellia128,SHA1]":             `"ESP[Camellia128,SHA1]", column 5: unsupported: encryption Camellia128: no library that is maintained has Camellia (RFC 4312); ` + ciphers,
		"AH[MD5-Replay]":                    `"AH[MD5-Replay]", column 4: unsupported: integrity MD5-Replay: IKEv1 has no number for HMAC-MD5 of RFC 2085: AH_MD5 with HMAC-MD5 is that of RFC 2403; ` + ahAuths,
		"ESP[3DES,SHA1":                     `"ESP[3DES,SHA1", column 14: expected ]`,
		"ESP[3DES,SHA1]x":                   `"ESP[3DES,SHA1]x", column 15: expected the end or a lifetime, as in :100000k/3600s`,
		"ESP[3DES,SHA1]:":                   `"ESP[3DES,SHA1]:", column 16: expected a number of kilobytes (k) or seconds (s)`,
		"ESP[3DES,SHA1]:-1k":                `"ESP[3DES,SHA1]:-1k", column 16: expected a number of kilobytes (k) or seconds (s)`,
		"ESP[3DES,SHA1]:1":                  `"ESP[3DES,SHA1]:1", column 17: expected the unit of the lifetime, k or s`,
		"ESP[3DES,SHA1]:1m":                 `"ESP[3DES,SHA1]:1m", column 17: expected the unit of the lifetime, k or s`,
		"ESP[3DES,SHA1]:4294967296k":        `"ESP[3DES,SHA1]:4294967296k", column 16: a lifetime is at most 4294967295`,
		"ESP[3DES,SHA1]:1k3600s":            `"ESP[3DES,SHA1]:1k3600s", column 18: expected / and the seconds, as in 100000k/3600s`,
		"ESP[3DES,SHA1]:1k/2k":              `"ESP[3DES,SHA1]:1k/2k", column 20: expected seconds after the kilobytes, as in 100000k/3600s`,
		"ESP[3DES,SHA1]:1s/2k":              `"ESP[3DES,SHA1]:1s/2k", column 18: expected the end; a lifetime is kilobytes, then seconds, as in 100000k/3600s`,
		"ESP[3DES,SHA1]:1k/2s ":             `"ESP[3DES,SHA1]:1k/2s ", column 21: expected the end; a lifetime is kilobytes, then seconds, as in 100000k/3600s`,
		"ESP[" + strings.Repeat("x", 200):   `"ESP[` + strings.Repeat("x", 124) + `…", column 129: longer than 128 bytes`,
	} {
		_, err := ParseSecurityMethod(s)
		require.EqualError(t, err, "policy: security method "+want)
		var m *MethodError
		require.ErrorAs(t, err, &m)
	}
}

func TestParseMainModeMethod(t *testing.T) {
	for s, want := range map[string]ike.MainModeProposal{
		"3DES-SHA1-2":      {Cipher: "3des-cbc", Hash: "sha1", Group: 2},  // as `netsh ipsec static add policy` documents it
		"3DES-SHA1-3":      {Cipher: "3des-cbc", Hash: "sha1", Group: 14}, // C070
		"3des-sha1-14":     {Cipher: "3des-cbc", Hash: "sha1", Group: 14},
		"AES128-SHA256-14": {Cipher: "aes128-cbc", Hash: "sha256", Group: 14},
		"AES192-SHA1-2":    {Cipher: "aes192-cbc", Hash: "sha1", Group: 2},
		"AES256-SHA256-3":  {Cipher: "aes256-cbc", Hash: "sha256", Group: 14},
		"DES-MD5-1":        {Cipher: "des-cbc", Hash: "md5", Group: 1}, // as the user interface of Windows has it (cc759504)
		"des-sha1-1":       {Cipher: "des-cbc", Hash: "sha1", Group: 1},
		"3DES-MD5-2":       {Cipher: "3des-cbc", Hash: "md5", Group: 2},
		// beyond Windows Server 2003
		"AES256-SHA384-5":  {Cipher: "aes256-cbc", Hash: "sha384", Group: 5},
		"AES128-SHA512-15": {Cipher: "aes128-cbc", Hash: "sha512", Group: 15},
		"AES128-SHA512-16": {Cipher: "aes128-cbc", Hash: "sha512", Group: 16},
		"3DES-SHA1-17":     {Cipher: "3des-cbc", Hash: "sha1", Group: 17},
		"3DES-SHA1-18":     {Cipher: "3des-cbc", Hash: "sha1", Group: 18},
	} {
		got, err := ParseMainModeMethod(s)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	const (
		ciphers = "; supported: DES, 3DES, AES128, AES192, AES256"
		hashes  = "; supported: MD5, SHA1, SHA256, SHA384, SHA512"
		groups  = "; supported: 1, 2, 3 (2048 bits, as 14), 5, 14 to 18"
	)
	for s, want := range map[string]string{
		"":               `"", column 1: it is empty`,
		"IDEA-SHA1-2":    `"IDEA-SHA1-2", column 1: unknown encryption "IDEA"` + ciphers,
		"NONE-SHA1-2":    `"NONE-SHA1-2", column 1: unknown encryption "NONE"` + ciphers,
		"-SHA1-2":        `"-SHA1-2", column 1: unknown encryption ""` + ciphers,
		"3DES":           `"3DES", column 5: expected - and the hash, as in 3DES-SHA1-2`,
		"3DES-TIGER-2":   `"3DES-TIGER-2", column 6: unknown hash "TIGER"` + hashes,
		"3DES-SHA1":      `"3DES-SHA1", column 10: expected - and the group, as in 3DES-SHA1-2`,
		"3DES-SHA1-":     `"3DES-SHA1-", column 11: unknown group ""` + groups,
		"3DES-SHA1-4":    `"3DES-SHA1-4", column 11: unknown group "4"` + groups,
		"3DES-SHA1-02":   `"3DES-SHA1-02", column 11: unknown group "02"` + groups,
		"3DES-SHA1-2-2":  `"3DES-SHA1-2-2", column 11: unknown group "2-2"` + groups,
		"AES128-GCM-1-2": `"AES128-GCM-1-2", column 8: unknown hash "GCM"` + hashes,
	} {
		_, err := ParseMainModeMethod(s)
		require.EqualError(t, err, "policy: main-mode method "+want)
	}
}

// Every spelling that is supported is an algorithm that package suite has.
func TestSpellings(t *testing.T) {
	for _, a := range append(espCiphers[:len(espCiphers):len(espCiphers)], mainModeCiphers...) {
		if a.suite != "" {
			c := suite.CipherNamed(a.suite)
			require.NotNil(t, c, a.netsh)
			require.Equal(t, c.AEAD() || a.suite == "des-iv32" || a.suite == "des-iv64", alone(a.suite))
		}
	}
	for _, a := range slices.Concat(ahAuths, espAuths, espCiphers) {
		require.Equal(t, a.suite == "", a.why != "", "%s: either there, or it says why not", a.netsh)
	}
	for _, a := range espAuths {
		require.True(t, a.suite == noIntegrity || suite.AuthNamed(a.suite).ForESP(), a.netsh)
	}
	for _, a := range ahAuths {
		require.True(t, a.suite == "" || suite.AuthNamed(a.suite) != nil, a.netsh)
	}
	require.Nil(t, suite.AuthNamed(noIntegrity))
	for _, a := range mainModeHashes {
		require.True(t, a.suite == "" || suite.HashNamed(a.suite) != nil, a.netsh)
	}
	for _, g := range mainModeGroups {
		require.NotNil(t, suite.GroupNumbered(g.iana), g.netsh)
	}
}

func TestMethodRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := func(known []algorithm) (all []string) {
			for _, a := range known {
				if a.suite != "" && a.suite != noIntegrity {
					all = append(all, a.suite)
				}
			}
			return all
		}
		ciphers, auths, ahs := rapid.SampledFrom(names(espCiphers)), rapid.SampledFrom(names(espAuths)), rapid.SampledFrom(names(ahAuths))
		cipher, auth := ciphers.Draw(t, "cipher"), auths.Draw(t, "auth")
		withAH := rapid.Bool().Draw(t, "AH")
		if c := suite.CipherNamed(cipher); alone(cipher) || withAH && c.CBC() && rapid.Bool().Draw(t, "AH alone has integrity") {
			auth = ""
		}
		p := esp(cipher, auth, int(rapid.Uint32().Draw(t, "seconds")), uint64(rapid.Uint32().Draw(t, "kilobytes")))
		if withAH {
			if rapid.Bool().Draw(t, "AH alone") {
				p.Transforms = nil
			}
			p = with(ahs.Draw(t, "AH auth"), p)
		}
		for i, tr := range p.Transforms {
			p.Transforms[i].ESN = !old(tr) && rapid.Bool().Draw(t, "ESN")
		}
		require.Empty(t, unsupportedMethod(p))
		s, ok := FormatSecurityMethod(p)
		require.True(t, ok)
		back, err := ParseSecurityMethod(s)
		require.NoError(t, err)
		require.Equal(t, p, back)

		mm := ike.MainModeProposal{
			Cipher: rapid.SampledFrom([]string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"}).Draw(t, "main cipher"),
			Hash:   rapid.SampledFrom([]string{"md5", "sha1", "sha256", "sha384", "sha512"}).Draw(t, "hash"),
			Group:  rapid.SampledFrom([]uint16{1, 2, 5, 14, 15, 16, 17, 18}).Draw(t, "group"),
		}
		s, ok = FormatMainModeMethod(mm)
		require.True(t, ok)
		mmBack, err := ParseMainModeMethod(s)
		require.NoError(t, err)
		require.Equal(t, mm, mmBack)
	})
}

func TestFormatRefuses(t *testing.T) {
	tunnel := esp("3des-cbc", "hmac-sha1-96", 1, 1)
	tunnel.Mode = ipsec.Tunnel
	fraction := esp("3des-cbc", "hmac-sha1-96", 1, 1)
	fraction.Lifetime.Duration += time.Millisecond
	for _, p := range []ipsec.Proposal{
		{}, tunnel, fraction, esp("null", "", 1, 1), esp("3des-cbc", "", 1, 1), with("", esp("3des-cbc", "hmac-sha1-96", 1, 1)),
		with("hmac-sha1-96", esp("null", "", 1, 1)), with("hmac-sha1-96", ah("hmac-sha1-96", 1, 1)), ah("none", 1, 1), esp("3des-cbc", "none", 1, 1), esp("aes128-gcm16", "hmac-sha1-96", 1, 1),
		esp("chacha20-poly1305", "", 1, 1), ah("hmac-md5-replay", 1, 1), extended(esp("des-iv32", "", 1, 1)), esp("des-iv32", "hmac-md5-96", 1, 1), esp("aes128-ctr", "", 1, 1),
		esp("3des-cbc", "hmac-sha1-96", 1, 1<<32),
		{Mode: ipsec.Transport, Transforms: []ipsec.Transform{{Protocol: ipsec.AH, Cipher: "null", Auth: "hmac-sha1-96"}}},
	} {
		_, ok := FormatSecurityMethod(p)
		require.False(t, ok, "%v", p)
	}
	for _, p := range []ike.MainModeProposal{{}, {Cipher: "3des-cbc", Hash: "sha1", Group: 19}, {Cipher: "null", Hash: "sha1", Group: 2}, {Cipher: "des", Hash: "sha1", Group: 2}, {Cipher: "3des-cbc", Hash: "sha1"}} {
		_, ok := FormatMainModeMethod(p)
		require.False(t, ok, "%v", p)
	}
}

// Whatever is accepted means the same after printing; whatever is refused says where.
func FuzzParseSecurityMethod(f *testing.F) {
	for _, s := range []string{"ESP[3DES,SHA1]:100000k/3600s", "ESP[AES128-GCM]", "AH[SHA1]+ESP[DES,MD5]:1k/1s", "ESP[AES256,SHA256]:0k", "ESP[,]:/", "AH[MD5]", "ESP[None,SHA1]", "AH[SHA1]+ESP[3DES,None]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseSecurityMethod(s)
		if err != nil {
			checkMethodError(t, err, s)
			require.Equal(t, ipsec.Proposal{}, p)
			return
		}
		require.Empty(t, unsupportedMethod(p))
		printed, ok := FormatSecurityMethod(p)
		require.True(t, ok)
		back, err := ParseSecurityMethod(printed)
		require.NoError(t, err)
		require.Equal(t, p, back)
	})
}

func FuzzParseMainModeMethod(f *testing.F) {
	for _, s := range []string{"3DES-SHA1-2", "AES128-SHA256-14", "DES-MD5-1", "--", "3DES-SHA1-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseMainModeMethod(s)
		if err != nil {
			checkMethodError(t, err, s)
			require.Equal(t, ike.MainModeProposal{}, p)
			return
		}
		printed, ok := FormatMainModeMethod(p)
		require.True(t, ok)
		back, err := ParseMainModeMethod(printed)
		require.NoError(t, err)
		require.Equal(t, p, back)
	})
}

func checkMethodError(t *testing.T, err error, s string) {
	var m *MethodError
	require.ErrorAs(t, err, &m)
	require.True(t, m.Column >= 1 && m.Column <= len(s)+1)
	require.Less(t, len(err.Error()), 10*maxMethod+200)
}

// What travels when a security method names a lifetime, or none: KB2790970 has
// the defaults of Windows, HP's J4256-90025, p. 44 saw it offer no lifetime.
func TestLifetimesAsOffered(t *testing.T) {
	for method, want := range map[string][]payload.Attribute{
		"ESP[3DES,SHA1]": {
			payload.BasicAttribute(payload.AttrSALifeType, payload.LifeSeconds), payload.LongAttribute(payload.AttrSALifeDuration, 3600),
			payload.BasicAttribute(payload.AttrSALifeType, payload.LifeKilobytes), payload.LongAttribute(payload.AttrSALifeDuration, 100000),
		},
		"ESP[3DES,SHA1]:0k/600s": {
			payload.BasicAttribute(payload.AttrSALifeType, payload.LifeSeconds), payload.LongAttribute(payload.AttrSALifeDuration, 600),
		},
		"ESP[3DES,SHA1]:0k/0s": nil,
	} {
		p, err := ParseSecurityMethod(method)
		require.NoError(t, err)
		offer, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{p}}, 0, func(ipsec.Protocol) uint32 { return 256 })
		require.NoError(t, err)
		var got []payload.Attribute
		for _, a := range offer.Proposals[0].Transforms[0].Attributes {
			if a.Type == payload.AttrSALifeType || a.Type == payload.AttrSALifeDuration {
				got = append(got, a)
			}
		}
		require.Equal(t, want, got, method)
	}
}
