package pki

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	for _, tc := range chains {
		t.Run(tc.name, func(t *testing.T) {
			c := tc.make(newCA(t))
			path, err := c.store.Verify(c.leaf, c.sent, c.lists, c.at, c.rule)
			if tc.want != 0 {
				require.ErrorIs(t, err, &Error{Kind: tc.want}, "%v", err)
				require.Nil(t, path)
				return
			}
			require.NoError(t, err)
			require.Len(t, path, tc.length)
			require.Equal(t, c.leaf, path[0])
		})
	}
}

// What OpenSSL calls our kinds, where it has the same reason.
var opensslKinds = map[Kind][]string{
	0: {"ok"}, ChainBroken: {"20", "2"}, UntrustedRoot: {"18", "19"}, Expired: {"10"}, NotYetValid: {"9"}, WrongKey: {"7"},
	NotAuthority: {"79"}, PathLength: {"25"}, WrongUsage: {"32"}, CriticalExtension: {"34"}, Revoked: {"23"},
	NoCRL: {"3", "8", "11", "12", "35", "36"},
}

func TestVerifyAsOpenSSL(t *testing.T) {
	o := newOpenSSL(t)
	for _, tc := range chains {
		t.Run(tc.name, func(t *testing.T) {
			o.t = t
			c := tc.make(newCA(t))
			require.Equal(t, tc.openssl, o.verify(&c, c.rule))
			same := false
			for _, word := range strings.Fields(tc.openssl) {
				number, _, _ := strings.Cut(word, "@")
				same = same || slices.Contains(opensslKinds[tc.want], number)
			}
			require.Equal(t, same, tc.differs == "", "the table says why a verdict is another")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	c := newCA(b)
	r := c.three()
	r.rule.CRLCheck = CRLStrict
	r.store.Lists = []*RevocationList{c.list(r.top, nil), c.list(r.mid, nil)}
	peer := Peer{Certificates: [][]byte{r.leaf.Raw, r.mid.Certificate.Raw}}
	for b.Loop() {
		_, err := r.store.VerifyPeer(peer, now, r.rule)
		require.NoError(b, err)
	}
}
