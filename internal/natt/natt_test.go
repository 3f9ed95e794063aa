package natt_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/natt"
)

func TestRead(t *testing.T) {
	esp := []byte{1, 2, 3, 4, 0, 0, 0, 1, 9, 9}
	message := []byte{8, 7, 6, 5, 4, 3, 2, 1, 0, 0}
	zeros := func(n int, rest []byte) []byte { return append(make([]byte, n), rest...) }
	for _, c := range []struct {
		name    string
		form    natt.Form
		payload []byte
		kind    natt.Kind
		rest    []byte
	}{
		{"IKE on port 500", natt.Plain, message, natt.IKE, message},
		{"a keep-alive is nothing special there", natt.Plain, []byte{0xff}, natt.IKE, []byte{0xff}},
		{"nothing", natt.Plain, nil, natt.Nothing, nil},
		{"IKE on port 4500", natt.NonESP, zeros(4, message), natt.IKE, message},
		{"ESP on port 4500", natt.NonESP, esp, natt.ESP, esp},
		{"keep-alive on port 4500", natt.NonESP, []byte{0xff}, natt.KeepAlive, nil},
		{"three octets are neither", natt.NonESP, []byte{0, 0, 0}, natt.Nothing, nil},
		{"an empty message", natt.NonESP, zeros(4, nil), natt.IKE, []byte{}},
		{"IKE beside ESP on port 500", natt.NonIKE, message, natt.IKE, message},
		{"ESP on port 500", natt.NonIKE, zeros(8, esp), natt.ESP, esp},
		{"keep-alive on port 500", natt.NonIKE, []byte{0xff}, natt.KeepAlive, nil},
		{"seven zeros are no marker", natt.NonIKE, zeros(7, nil), natt.IKE, zeros(7, nil)},
	} {
		kind, rest := natt.Read(c.form, c.payload)
		require.Equal(t, c.kind, kind, c.name)
		require.Equal(t, c.rest, rest, c.name)
	}
}

func TestAppendIKE(t *testing.T) {
	message := []byte{8, 7, 6, 5, 4, 3, 2, 1}
	for _, f := range []natt.Form{natt.Plain, natt.NonESP, natt.NonIKE} {
		kind, rest := natt.Read(f, f.AppendIKE(nil, message))
		require.Equal(t, natt.IKE, kind)
		require.Equal(t, message, rest)
	}
	require.Equal(t, 8, natt.NonESP.Overhead())
	require.Equal(t, 16, natt.NonIKE.Overhead())
}
