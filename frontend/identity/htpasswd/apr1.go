package htpasswd

import (
	"crypto/md5"
	"crypto/subtle"
	"errors"
	"strings"
)

const (
	// apr1Rounds is how often the digest is stirred.
	apr1Rounds = 1000
	// apr1Text is the length of the digest in letters.
	apr1Text = 22
	// itoa64 are the letters of six bits each, of crypt(3).
	itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// apr1Hash is Apache's variant of the MD5 crypt of FreeBSD, which differs from
// it in its name only.
type apr1Hash struct{ salt, digest string }

func parseAPR1(text string) (hash, error) {
	salt, digest, ok := strings.Cut(strings.TrimPrefix(text, "$apr1$"), "$")
	if !ok || salt == "" || len(salt) > 8 || len(digest) != apr1Text || strings.Trim(digest, itoa64) != "" {
		return nil, errors.New("this is not a whole $apr1$ hash; set the password with htpasswd -B")
	}
	return apr1Hash{salt, digest}, nil
}

func (h apr1Hash) matches(password string) bool {
	made := apr1([]byte(password), []byte(h.salt))
	return subtle.ConstantTimeCompare(made[:], []byte(h.digest)) == 1
}

func (apr1Hash) work() int { return apr1Rounds }

// apr1 returns the digest of password in the letters of crypt(3).
func apr1(password, salt []byte) (text [apr1Text]byte) {
	h := md5.New()
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	inner := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write([]byte("$apr1$"))
	h.Write(salt)
	for left := len(password); left > 0; left -= md5.Size {
		h.Write(inner[:min(left, md5.Size)])
	}
	for bits := len(password); bits > 0; bits >>= 1 {
		if bits&1 == 1 {
			h.Write([]byte{0})
		} else {
			h.Write(password[:1])
		}
	}
	sum := h.Sum(nil)

	for round := range apr1Rounds {
		h.Reset()
		first, last := sum, password
		if round%2 == 1 {
			first, last = password, sum
		}
		h.Write(first)
		if round%3 != 0 {
			h.Write(salt)
		}
		if round%7 != 0 {
			h.Write(password)
		}
		h.Write(last)
		sum = h.Sum(sum[:0])
	}

	// Five groups of three bytes in an order of their own, then one byte.
	at := 0
	letters := func(v uint32, n int) {
		for range n {
			text[at] = itoa64[v&63]
			v >>= 6
			at++
		}
	}
	for i := range 5 {
		k := i + 12
		if i == 4 {
			k = 5
		}
		letters(uint32(sum[i])<<16|uint32(sum[i+6])<<8|uint32(sum[k]), 4)
	}
	letters(uint32(sum[11]), 2)
	return text
}
