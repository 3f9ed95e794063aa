package pki

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	in := stream(3)
	n, err := ParseName("CN=Lab Root, O=Lab")
	require.NoError(t, err)
	from := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	rootKey := newKey(t, 1, "rsa-1024")
	root, err := NewRoot(in, Template{Subject: n, NotBefore: from, NotAfter: from.AddDate(10, 0, 0)}, rootKey)
	require.NoError(t, err)
	h, err := ParseName("CN=hosta.lab.example")
	require.NoError(t, err)
	key := newKey(t, 2, "rsa-1024")
	leaf, err := root.Issue(in, Template{Subject: h, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}, key.Public())
	require.NoError(t, err)
	s := Store{Roots: []*Certificate{root.Certificate}, Own: []Own{{leaf, key}}}
	path, err := s.VerifyPeer(Peer{Certificates: [][]byte{leaf.Raw}}, from.AddDate(0, 6, 0), Rule{Roots: []Name{n}})
	require.NoError(t, err)
	require.Len(t, path, 2)
	_, err = s.VerifyPeer(Peer{Certificates: [][]byte{leaf.Raw}}, from.AddDate(2, 6, 0), Rule{Roots: []Name{n}})
	require.ErrorIs(t, err, &Error{Kind: Expired})
	_, _, err = s.Select(nil, from, Rule{Roots: []Name{n}})
	require.NoError(t, err)
}
