package mux_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
)

// paperKey is both halves of a key that costs no arithmetic, so that many
// schedules can have all methods of authentication: who verifies knows the secret
// of who signs. Wire formats and lengths are those of a real key; what it cannot
// show is that the arithmetic of real ones is right, see package pki.
type paperKey struct {
	algorithm string
	secret    string
}

var errPaper = errors.New("the paper key does not fit")

func (k *paperKey) Algorithm() string { return k.algorithm }

// stream is as many bytes as wanted, from the secret and a seed.
func (k *paperKey) stream(seed []byte, n int) (out []byte) {
	for i := byte(0); len(out) < n; i++ {
		h := sha256.New()
		h.Write([]byte(k.secret))
		h.Write(seed)
		h.Write([]byte{i})
		out = h.Sum(out)
	}
	return out[:n]
}

func (k *paperKey) size() int {
	if k.algorithm == "dsa" {
		return 40
	}
	return 128
}

func (k *paperKey) Sign(hash []byte) ([]byte, error) {
	return k.stream(append([]byte("sign"), hash...), k.size()), nil
}

func (k *paperKey) Verify(hash, signature []byte) error {
	if want, _ := k.Sign(hash); !hmac.Equal(want, signature) {
		return errPaper
	}
	return nil
}

// Encrypt is a seed of 11 bytes, the length and the plaintext under a stream, and zeros that tell whether it decrypts.
func (k *paperKey) Encrypt(rand io.Reader, plaintext []byte) ([]byte, error) {
	if k.algorithm != "rsa" || len(plaintext) > k.size()-12-8 {
		return nil, errPaper
	}
	out := make([]byte, k.size())
	if _, err := io.ReadFull(rand, out[:11]); err != nil {
		return nil, err
	}
	out[11] = byte(len(plaintext))
	copy(out[12:], plaintext)
	for i, b := range k.stream(out[:11], k.size()-11) {
		out[11+i] ^= b
	}
	return out, nil
}

func (k *paperKey) Decrypt(ciphertext []byte) ([]byte, error) {
	if k.algorithm != "rsa" || len(ciphertext) != k.size() {
		return nil, errPaper
	}
	out := bytes.Clone(ciphertext)
	for i, b := range k.stream(out[:11], k.size()-11) {
		out[11+i] ^= b
	}
	n := int(out[11])
	if n > k.size()-12-8 || len(bytes.Trim(out[12+n:], "\x00")) > 0 {
		return nil, errPaper
	}
	return out[12 : 12+n], nil
}
