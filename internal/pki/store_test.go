package pki

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Claims C216 and C218: a hub with certificates from three partners shows each
// the one that it accepts, and prefers the first root of its rule.
func TestSelectByRoot(t *testing.T) {
	c := newCA(t)
	var s Store
	var rule Rule
	var leaves []*Certificate
	for i, name := range []string{"CN=Lab A", "CN=Lab B", "CN=Lab C"} {
		a := c.root(name, "rsa-1024", byte(1+i))
		issuing := c.below(a, name+" Issuing", "rsa-1024", byte(4+i))
		leaves = append(leaves, c.leaf(issuing, "CN=hub", "rsa-1024", byte(7+i)))
		s.Roots = append(s.Roots, a.Certificate)
		s.Intermediates = append(s.Intermediates, issuing.Certificate)
		s.Own = append(s.Own, Own{leaves[i], aKey("rsa-1024", byte(7+i))})
		rule.Roots = append(rule.Roots, a.Certificate.Subject)
	}
	s.Own[0], s.Own[2] = s.Own[2], s.Own[0] // the order of the store does not matter
	pick := func(requested ...string) *Certificate {
		var names []Name
		for _, r := range requested {
			names = append(names, mustName(t, r))
		}
		own, path, err := s.Select(names, now, rule)
		require.NoError(t, err)
		require.Len(t, path, 3)
		require.Equal(t, own.Certificate, path[0])
		return own.Certificate
	}
	require.Equal(t, leaves[0], pick())
	require.Equal(t, leaves[1], pick("CN=lab b"))
	require.Equal(t, leaves[1], pick("CN=Unknown", "CN=Lab C", "CN=Lab B"))
	require.Equal(t, leaves[2], pick("CN=Lab C"))

	_, _, err := s.Select([]Name{mustName(t, "CN=Unknown")}, now, rule)
	require.EqualError(t, err, "pki: no certificate: the computer has no certificate from a root that both sides name")
	require.ErrorIs(t, err, &Error{Kind: NoCertificate})

	der, err := s.RootName(mustName(t, "CN=LAB a"))
	require.NoError(t, err)
	require.Equal(t, s.Roots[0].RawSubject, der)
	der, err = s.RootName(mustName(t, "CN=Unknown"))
	require.NoError(t, err)
	n, err := ParseNameDER(der)
	require.NoError(t, err)
	require.Equal(t, "CN=Unknown", n.String())
}

// Claim C213: each demand on our own certificate, violated.
func TestSelectNone(t *testing.T) {
	c := newCA(t)
	a, r := c.pair()
	key := aKey("rsa-1024", 2)
	other := c.root("CN=Other", "rsa-1024", 9)
	store := func(own ...Own) *Store { return &Store{Roots: r.store.Roots, Own: own} }
	for _, tc := range []struct {
		name  string
		store *Store
		kind  Kind
		why   string
	}{
		{"the good one", store(Own{r.leaf, key}), 0, ""},
		{"none at all", store(), NoCertificate, "both sides name"},
		{"no key", store(Own{r.leaf, nil}), NoPrivateKey, "CN=hosta.lab.example: the computer does not have the private key"},
		{"another key", store(Own{r.leaf, aKey("rsa-1024", 5)}), NoPrivateKey, "private key"},
		{"no key, then the good one", store(Own{r.leaf, nil}, Own{c.leaf(a, "CN=b", "rsa-1024", 2), key}), 0, ""},
		{"expired", store(Own{c.leaf(a, "CN=b", "rsa-1024", 2, until(now.AddDate(0, 0, -1))), key}), NoCertificate, "; expired: CN=b: valid until 2005-03-29T12:00:00Z"},
		{"other root", store(Own{c.leaf(other, "CN=b", "rsa-1024", 2), key}), NoCertificate, "; chain broken"},
		{"DSA", store(Own{c.leaf(a, "CN=b", "dsa-1024", 2), aKey("dsa-1024", 2)}), NoCertificate, "; wrong type of key"},
		{"root that the computer does not trust", &Store{Own: []Own{{r.leaf, key}}}, NoCertificate, "; chain broken"},
	} {
		own, _, err := tc.store.Select(nil, now, r.rule)
		if tc.kind == 0 {
			require.NoError(t, err, tc.name)
			require.NotNil(t, own.Key, tc.name)
			continue
		}
		require.ErrorIs(t, err, &Error{Kind: tc.kind}, tc.name)
		require.ErrorContains(t, err, tc.why, tc.name)
	}
	// A list that revokes our own certificate is no concern of ours.
	s := store(Own{r.leaf, key})
	s.Lists = []*RevocationList{c.list(a, nil, r.leaf)}
	rule := r.rule
	rule.CRLCheck = CRLStrict
	_, _, err := s.Select(nil, now, rule)
	require.NoError(t, err)
}

func TestVerifyPeer(t *testing.T) {
	c := newCA(t)
	r := c.three()
	raw := func(certs ...*Certificate) (out [][]byte) {
		for _, c := range certs {
			out = append(out, c.Raw)
		}
		return out
	}
	path, err := r.store.VerifyPeer(Peer{Certificates: append(raw(r.leaf), []byte("junk"), r.mid.Certificate.Raw)}, now, r.rule)
	require.NoError(t, err)
	require.Equal(t, "CN=Lab Root,O=Lab", path.Root().Subject.String())

	_, err = r.store.VerifyPeer(Peer{}, now, r.rule)
	require.ErrorIs(t, err, &Error{Kind: NoPeerCertificate})
	require.Equal(t, uint32(13847), err.(*Error).Kind.Windows())
	_, err = r.store.VerifyPeer(Peer{Certificates: [][]byte{[]byte("junk")}}, now, r.rule)
	require.ErrorIs(t, err, &Error{Kind: BadEncoding})

	strict := r.rule
	strict.CRLCheck = CRLStrict
	peer := Peer{Certificates: raw(r.leaf, r.mid.Certificate), Lists: [][]byte{c.list(r.top, nil).Raw, {1}, c.list(r.mid, nil).Raw}}
	_, err = r.store.VerifyPeer(peer, now, strict)
	require.NoError(t, err)
	peer.Lists = [][]byte{c.list(r.top, nil).Raw, c.list(r.mid, nil, r.leaf).Raw}
	_, err = r.store.VerifyPeer(peer, now, strict)
	require.EqualError(t, err, "pki: revoked: CN=hosta.lab.example: revoked at 2005-03-28T12:00:00Z (keyCompromise)")
}

// Every kind has a name of its own and a code of Windows.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for k := BadEncoding; k <= TooMuchWork; k++ {
		require.NotEmpty(t, k.String(), "%d", int(k))
		require.False(t, seen[k.String()], k.String())
		seen[k.String()] = true
		require.True(t, k.Windows() >= 13800 && k.Windows() < 13900, k.String())
	}
	require.Len(t, kindTable, len(seen))
	require.NotErrorIs(t, &Error{Kind: Expired}, &Error{Kind: Revoked})
}

// Claims C010 and C215: an enterprise authority with a template of Windows in
// its certificates, a stand-alone one, one of another maker, and a child of it.
func TestHierarchies(t *testing.T) {
	c := newCA(t)
	template := extension(Extension{OID{1, 3, 6, 1, 4, 1, 311, 20, 2}, false, []byte{0x1e, 0x04, 0, 'I', 0, 'P'}}) // certificate template name
	enterprise := c.root("DC=example, DC=lab, CN=Lab Enterprise Root", "rsa-2048", 1)
	standalone := c.root("C=US, S=WA, O=Lab, CN=Stand-alone, E=ca@lab.example", "rsa-1024", 1, signedWith("md5"), version1)
	third := c.root("C=XX, O=Third Party Trust, OU=Class 1", "dsa-1024", 1)
	child := c.below(third, "O=Partner, CN=Child", "ecdsa-256", 1, pathLen(0))
	for _, tc := range []struct {
		name string
		root *Authority
		leaf *Certificate
	}{
		{"enterprise", enterprise, c.leaf(enterprise, "CN=hosta.lab.example", "rsa-1024", 2, template)},
		{"stand-alone", standalone, c.leaf(standalone, "CN=hosta", "rsa-1024", 2, signedWith("md5"))},
		{"third party", third, c.leaf(third, "CN=hosta", "rsa-1024", 2)},
		{"child", third, c.leaf(child, "CN=hosta", "rsa-1024", 2, signedWith("sha384"))},
	} {
		s := Store{Roots: []*Certificate{enterprise.Certificate, standalone.Certificate, third.Certificate}}
		_, err := s.Verify(tc.leaf, []*Certificate{child.Certificate}, nil, now, Rule{Roots: []Name{tc.root.Certificate.Subject}})
		require.NoError(t, err, tc.name)
	}
}

// Claim C103: two computers trust each other's root, or one of them does not.
func TestTwoRoots(t *testing.T) {
	c := newCA(t)
	a, b := c.root("CN=Lab A", "rsa-1024", 1), c.root("CN=Lab B", "rsa-1024", 2)
	ofA, ofB := c.leaf(a, "CN=hosta", "rsa-1024", 3), c.leaf(b, "CN=hostb", "rsa-1024", 4)
	both := Store{Roots: []*Certificate{a.Certificate, b.Certificate}}
	onlyA := Store{Roots: []*Certificate{a.Certificate}}
	rule := Rule{Roots: []Name{a.Certificate.Subject, b.Certificate.Subject}}
	for _, tc := range []struct {
		store Store
		leaf  *Certificate
		ok    bool
	}{{both, ofA, true}, {both, ofB, true}, {onlyA, ofA, true}, {onlyA, ofB, false}} {
		_, err := tc.store.Verify(tc.leaf, nil, nil, now, rule)
		require.Equal(t, tc.ok, err == nil)
	}
}

func TestAccounts(t *testing.T) {
	for _, tc := range []struct {
		names     AltNames
		principal string
		from      string
	}{
		{AltNames{DNS: []string{"HostA.lab.Example"}}, "HOSTA$@lab.example", "dns"},
		{AltNames{DNS: []string{"hosta.lab.example."}}, "HOSTA$@lab.example", "dns"},
		{AltNames{UPN: []string{"hostb$@lab.example"}, DNS: []string{"hosta.lab.example"}}, "HOSTB$@lab.example", "upn"},
		{AltNames{UPN: []string{"host/hostb.lab.example"}}, "HOSTB$@lab.example", "upn"},
		{AltNames{UPN: []string{"HOST/hostb.lab.example@LAB.EXAMPLE"}}, "HOSTB$@lab.example", "upn"},
		{AltNames{UPN: []string{"alice@lab.example"}, DNS: []string{"hosta.lab.example"}}, "HOSTA$@lab.example", "dns"},
		{AltNames{DNS: []string{"a-very-long-host-name.lab.example"}}, "A-VERY-LONG-HOS$@lab.example", "dns"},
		{AltNames{DNS: []string{"hosta"}}, "", ""},
		{AltNames{DNS: []string{"*.lab.example"}}, "", ""},
		{AltNames{UPN: []string{"$@lab.example", "host/", "host/x", "a b$@lab.example", "hosta$@", "hosta$", "a-very-long-host-name$@lab.example"}}, "", ""},
		{AltNames{Email: []string{"hosta@lab.example"}}, "", ""},
		{AltNames{}, "", ""},
	} {
		a, err := AccountOf(&Certificate{AltNames: tc.names})
		require.Equal(t, tc.principal, a.Principal, "%v", tc.names)
		require.Equal(t, tc.from, a.From)
		require.Equal(t, tc.principal == "", err != nil)
		require.True(t, tc.principal == "" || strings.HasPrefix(tc.principal, a.Name))
	}
}
