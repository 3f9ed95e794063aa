package swan

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Each algorithm of the tables is one of the lab, has a word of its own, and is found by its name in lists.
func TestTables(t *testing.T) {
	for _, table := range [][]Algorithm{encryptions, integrities, hashes} {
		words := map[string]bool{}
		for _, a := range table {
			require.False(t, words[a.Keyword], a.Keyword)
			words[a.Keyword] = true
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

// The lab's words for what is negotiated.
var (
	mainCiphers = []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"}
	mainHashes  = []string{"md5", "sha1", "sha256", "sha384", "sha512"}
	labGroups   = []uint16{1, 2, 5, 14, 15, 16, 17, 18}
	espCiphers  = []string{"None", "DES", "3DES", "AES128", "AES192", "AES256", "AES128-CTR", "AES192-CTR", "AES256-CTR"}
	espCombined = []string{"GCM8", "GCM12", "GCM16", "CCM8", "CCM12", "CCM16", "GMAC"}
	espAuths    = []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512", "AES128-XCBC"}
)

// recordFile has what strongSwan makes of the lab's proposals, a line each: the proposal as the lab words it, as
// strongSwan is told, or why it cannot be, and as charon lists it when it has read that. TestCharonReadsProposals writes it.
const recordFile = "testdata/proposals.txt"

// proposal is a line of the record, and what it is made of.
type proposal struct {
	lab, word, charon string

	main  *ike.MainModeProposal // of a main mode; nil: of a quick mode
	child ipsec.Transform
	group uint16
}

func (p *proposal) line() string { return strings.TrimRight(p.lab+"\t"+p.word+"\t"+p.charon, "\t") }

// proposals are what is recorded: each algorithm of the lab, and what it goes with.
func proposals(t *testing.T) (all []*proposal) {
	add := func(p proposal, word string, err error) {
		if p.word = word; err != nil {
			var unsupported *peerconf.Unsupported
			require.ErrorAs(t, err, &unsupported)
			p.word = err.Error()
		}
		all = append(all, &p)
	}
	for _, c := range mainCiphers {
		for _, h := range mainHashes {
			for _, g := range append(labGroups, 19) {
				if p := (ike.MainModeProposal{Cipher: c, Hash: h, Group: g}); h == "sha1" && g == 2 || c == "3des-cbc" && (h == "sha1" || g == 2) {
					word, err := IKEProposal(p)
					add(proposal{lab: fmt.Sprintf("%s/%s/%d", c, h, g), main: &p}, word, err)
				}
			}
		}
	}
	child := func(text string, group uint16) {
		for _, esn := range []string{"]", ",ESN]"} {
			m, err := policy.ParseSecurityMethod(text + esn)
			if err != nil {
				require.ErrorContains(t, err, "ESN", "but for that it is one of the lab")
				continue
			}
			p := proposal{lab: text + esn, child: m.Transforms[0], group: group}
			if group != 0 {
				p.lab += fmt.Sprintf(" with group %d", group)
			}
			word, err := ChildProposal(p.child, group)
			add(p, word, err)
		}
	}
	for _, a := range append(espAuths, "AES128-GMAC", "AES192-GMAC", "AES256-GMAC", "KPDK") {
		child("AH["+a, 0)
	}
	for _, a := range espAuths {
		child("ESP[None,"+a, 0)
	}
	for _, c := range espCiphers[1:] {
		child("ESP["+c+",SHA1", 0)
	}
	for _, bits := range []string{"128", "192", "256"} {
		for _, mode := range espCombined {
			child("ESP[AES"+bits+"-"+mode, 0)
		}
	}
	child("ESP[DES-IV32", 0)
	child("ESP[DES-IV64", 0)
	for _, g := range labGroups {
		child("ESP[3DES,SHA1", g)
	}
	return all
}

// What the lab negotiates is written in the words that charon has read as what was meant, or refused; and what charon
// lists it by is what the tables know it by.
func TestProposals(t *testing.T) {
	b, err := os.ReadFile(recordFile)
	require.NoError(t, err, "run the test with -update, in a place with namespaces, to make it")
	recorded := strings.Split(strings.TrimSpace(string(b)), "\n")
	all := proposals(t)
	require.Len(t, recorded, len(all))
	for i, p := range all {
		if !strings.HasPrefix(p.word, "unsupported") {
			p.charon = listed(t, p)
		}
		require.Equal(t, recorded[i], p.line())
	}
}

// listed is a proposal as charon lists it, by the names of the tables.
func listed(t *testing.T, p *proposal) string {
	var names []string
	add := func(table []Algorithm, name string) {
		a, ok := bySuite(table, name)
		require.True(t, ok, name)
		if a.Bits != 0 {
			a.Name += fmt.Sprintf("_%d", a.Bits)
		}
		names = append(names, a.Name)
	}
	group := func(n uint16) {
		g, ok := groupNumbered(n)
		require.True(t, ok)
		names = append(names, g.Name)
	}
	if p.main != nil {
		add(encryptions, p.main.Cipher)
		add(hashes, p.main.Hash)
		for prf, hash := range hashOfPRF {
			if hash == p.main.Hash {
				names = append(names, prf)
			}
		}
		group(p.main.Group)
		return "IKE:" + strings.Join(names, "/")
	}
	if p.child.Cipher != "" {
		add(encryptions, p.child.Cipher)
	}
	if p.child.Auth != "" {
		add(integrities, p.child.Auth)
	}
	if p.group != 0 {
		group(p.group)
	}
	names = append(names, map[bool]string{true: "EXT_SEQ", false: "NO_EXT_SEQ"}[p.child.ESN])
	return p.child.Protocol.String() + ":" + strings.Join(names, "/")
}

// No two proposals are written alike.
func TestProposalsDiffer(t *testing.T) {
	words := map[string]string{}
	add := func(what, word string, err error) {
		require.NoError(t, err, what)
		require.Empty(t, words[word], "%s, which is written %s, is written as", what, word)
		words[word] = what
	}
	for _, c := range mainCiphers {
		for _, h := range mainHashes {
			for _, g := range labGroups {
				p := ike.MainModeProposal{Cipher: c, Hash: h, Group: g}
				word, err := IKEProposal(p)
				add(fmt.Sprint(p), "proposals = "+word, err)
			}
		}
	}
	var methods []string
	for _, a := range espAuths {
		methods = append(methods, "AH["+a)
		for _, c := range espCiphers {
			methods = append(methods, "ESP["+c+","+a)
		}
	}
	for _, bits := range []string{"128", "192", "256"} {
		for _, mode := range espCombined {
			methods = append(methods, "ESP[AES"+bits+"-"+mode)
		}
	}
	for _, text := range methods {
		for _, esn := range []string{"]", ",ESN]"} {
			m, err := policy.ParseSecurityMethod(text + esn)
			require.NoError(t, err)
			for _, g := range append(labGroups, 0) {
				word, err := ChildProposal(m.Transforms[0], g)
				add(fmt.Sprint(text, esn, g), fmt.Sprintf("%v_proposals = %s", m.Transforms[0].Protocol, word), err)
			}
		}
	}
	require.Greater(t, len(words), 1000)
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
