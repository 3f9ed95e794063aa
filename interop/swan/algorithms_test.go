package swan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Each algorithm of the tables is one of the lab, and comes back from its word and from its name in lists.
func TestTables(t *testing.T) {
	for _, table := range [][]Algorithm{encryptions, integrities, hashes} {
		for _, a := range table {
			byWord, ok := byKeyword(table, a.Keyword)
			require.True(t, ok)
			require.Equal(t, a, byWord)
			named, ok := byName(table, a.Name, a.Bits)
			require.True(t, ok)
			require.Equal(t, a, named)
		}
	}
	for _, a := range encryptions {
		require.NotNil(t, suite.CipherNamed(a.Suite), a.Suite)
	}
	for _, a := range integrities {
		require.NotNil(t, suite.AuthNamed(a.Suite), a.Suite)
	}
	for _, a := range hashes {
		require.NotNil(t, suite.HashNamed(a.Suite), a.Suite)
	}
	for _, g := range groups {
		require.NotNil(t, suite.GroupNumbered(g.Number))
		require.Equal(t, fmt.Sprintf("modp%d", suite.GroupNumbered(g.Number).Bits), g.Keyword)
		require.Equal(t, g.Number, groupNamed(g.Name))
	}
}

// All that the lab's IKE can offer in main mode is written and read again.
func TestIKEProposals(t *testing.T) {
	n := 0
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			for _, group := range []uint16{1, 2, 5, 14, 15, 16, 17, 18} {
				p := ike.MainModeProposal{Cipher: cipher, Hash: hash, Group: group}
				require.NoError(t, p.Check())
				word, err := IKEProposal(p)
				require.NoError(t, err)
				back, err := ParseIKEProposal(word)
				require.NoError(t, err)
				require.Equal(t, p, back)
				n++
			}
		}
	}
	require.Equal(t, 200, n)
	for _, bad := range []string{"", "3des", "3des-sha1", "3des-sha1-modp1", "none-sha1-modp1024", "3des-none-modp1024", "3des-sha1-modp1024-esn"} {
		_, err := ParseIKEProposal(bad)
		require.Error(t, err, bad)
	}
	var unsupported *peerconf.Unsupported
	_, err := IKEProposal(ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 19})
	require.ErrorAs(t, err, &unsupported)
	_, err = IKEProposal(ike.MainModeProposal{Cipher: "idea", Hash: "sha1", Group: 2})
	require.ErrorAs(t, err, &unsupported)
}

// So is all of quick mode, but what strongSwan has not.
func TestChildProposals(t *testing.T) {
	written, refused := 0, map[string]bool{}
	try := func(t *testing.T, text string) {
		m, err := policy.ParseSecurityMethod(text)
		if err != nil {
			return // not a method of the lab
		}
		for _, group := range []uint16{0, 1, 2, 5, 14, 15, 16, 17, 18} {
			word, err := ChildProposal(m.Transforms[0], group)
			if err != nil {
				var unsupported *peerconf.Unsupported
				require.ErrorAs(t, err, &unsupported)
				refused[text] = true
				continue
			}
			back, g, err := ParseChildProposal(m.Transforms[0].Protocol, word)
			require.NoError(t, err, word)
			require.Equal(t, m.Transforms[0], back, word)
			require.Equal(t, group, g)
			written++
		}
	}
	auths := []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512", "AES128-XCBC", "AES128-GMAC", "AES192-GMAC", "AES256-GMAC", "KPDK"}
	for _, esn := range []string{"", ",ESN"} {
		for _, a := range auths {
			try(t, "AH["+a+esn+"]")
			for _, c := range []string{"None", "DES", "3DES", "AES128", "AES192", "AES256", "AES128-CTR", "AES192-CTR", "AES256-CTR"} {
				try(t, "ESP["+c+","+a+esn+"]")
			}
		}
		for _, bits := range []string{"128", "192", "256"} {
			for _, mode := range []string{"GCM8", "GCM12", "GCM16", "CCM8", "CCM12", "CCM16", "GMAC"} {
				try(t, "ESP[AES"+bits+"-"+mode+esn+"]")
			}
		}
		try(t, "ESP[DES-IV32]")
		try(t, "ESP[DES-IV64]")
	}
	require.Equal(t, map[string]bool{
		"AH[AES128-GMAC]": true, "AH[AES192-GMAC]": true, "AH[AES256-GMAC]": true, "AH[KPDK]": true,
		"AH[AES128-GMAC,ESN]": true, "AH[AES192-GMAC,ESN]": true, "AH[AES256-GMAC,ESN]": true,
		"ESP[DES-IV32]": true, "ESP[DES-IV64]": true,
	}, refused)
	require.Greater(t, written, 1000)
	for _, bad := range []string{"", "sha1-", "3des-3des", "sha1-3des", "esn", "modp1024", "3des-sha1-sha1", "3des-sha1-modp1024-modp1536"} {
		_, _, err := ParseChildProposal(ipsec.ESP, bad)
		require.Error(t, err, bad)
	}
}

// A charon without an algorithm says so before anything is tried.
func TestCheck(t *testing.T) {
	has := Algorithms{"encryption": {"3DES_CBC": "openssl"}, "integrity": {"HMAC_SHA1_96": "openssl"}, "ke": {"MODP_1024": "openssl"}}
	conf := &Configuration{kind: LibIPsec, ikeProposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}
	conf.childProposals = []childProposal{{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, 2}}
	require.NoError(t, conf.Check(has))
	conf.childProposals[0].Auth = "hmac-md5-96"
	require.EqualError(t, conf.Check(has), "unsupported: hmac-md5-96: this charon has no HMAC_MD5_96 among its algorithms of integrity")
	conf.kind = Native // whose algorithms of ESP are the kernel's
	require.NoError(t, conf.Check(has))
	conf.ikeProposals[0].Group = 1
	require.ErrorContains(t, conf.Check(has), "MODP_768")
}
