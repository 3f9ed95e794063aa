package pki

import (
	"errors"
	"fmt"
	"io"
)

var errNoHash = errors.New("pki: there is no hash to sign or to verify")

// paddingType1 is the block 00 01 FF… 00 data, with at least eight octets of FF
// (RFC 2313, Section 8.1; RFC 8017, Section 9.2 without its DigestInfo).
func paddingType1(data []byte, size int) ([]byte, error) {
	if len(data) == 0 {
		return nil, errNoHash
	}
	if len(data) > size-11 {
		return nil, fmt.Errorf("pki: %d octets do not fit a signature of %d", len(data), size)
	}
	block := make([]byte, size)
	block[1] = 1
	for i := 2; i < size-len(data)-1; i++ {
		block[i] = 0xFF
	}
	copy(block[size-len(data):], data)
	return block, nil
}

// paddingType2 is the block 00 02 random… 00 data, with at least eight random
// octets, none of them zero (RFC 8017, Section 7.2.1).
func paddingType2(rand io.Reader, data []byte, size int) ([]byte, error) {
	if len(data) > size-11 {
		return nil, fmt.Errorf("pki: %d octets do not fit an encryption of %d", len(data), size)
	}
	block := make([]byte, size)
	block[1] = 2
	padding := block[2 : size-len(data)-1]
	if err := readRandom(rand, padding); err != nil {
		return nil, err
	}
	for i, tries := 0, 0; i < len(padding); i++ {
		for ; padding[i] == 0; tries++ {
			if tries == maxDraws {
				return nil, errStuck
			}
			if err := readRandom(rand, padding[i:i+1]); err != nil {
				return nil, err
			}
		}
	}
	copy(block[size-len(data):], data)
	return block, nil
}

// maxDraws ends what a stream of a fixed pattern would keep busy for ever.
const maxDraws = 10000

var errStuck = errors.New("pki: the stream of random octets repeats itself")

func readRandom(rand io.Reader, b []byte) error {
	if rand == nil {
		return errors.New("pki: there is no stream of random octets")
	}
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("pki: read random octets: %w", err)
	}
	return nil
}
