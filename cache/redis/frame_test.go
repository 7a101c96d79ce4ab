package redis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func testCodec(t testing.TB) *codec {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func noise(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(b)
	return b
}

// sign makes the checksum of a forged frame right.
func sign(frame []byte) []byte {
	binary.BigEndian.PutUint64(frame[sumOffset:], checksum(frame))
	return frame
}

func TestFrameRoundTrip(t *testing.T) {
	c := testCodec(t)
	long := strings.Repeat("/long", 100)
	for _, tc := range []struct {
		name  string
		key   string
		value []byte
		codec byte
		most  int // size of the frame
	}{
		{"empty", "k", nil, codecRaw, 19},
		{"small", "k", []byte("value"), codecRaw, 24},
		{"empty key", "", []byte("value"), codecRaw, 24},
		{"long key", long, []byte("value"), codecRaw, 540},
		{"text", "k", bytes.Repeat([]byte("text "), 1000), codecZstd, 100},
		{"noise", "k", noise(5000), codecRaw, 5019},
		{"large", long, bytes.Repeat(noise(1000), 4000), codecZstd, 100_000},
	} {
		frame, err := c.encode(7, tc.key, tc.value)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if frame[1] != tc.codec || len(frame) > tc.most {
			t.Errorf("%s: codec %d, %d bytes, want codec %d, at most %d bytes", tc.name, frame[1], len(frame), tc.codec, tc.most)
		}
		got, err := c.decode(frame, 7, tc.key)
		if err != nil || got == nil || !bytes.Equal(got, tc.value) {
			t.Errorf("%s: %d bytes come back as %d (nil: %v), %v", tc.name, len(tc.value), len(got), got == nil, err)
		}
		for i := range min(len(frame), 600) {
			broken := bytes.Clone(frame)
			broken[i] ^= 0x10
			if _, err := c.decode(broken, 7, tc.key); !errors.Is(err, errCorrupt) {
				t.Errorf("%s: with byte %d changed: %v", tc.name, i, err)
			}
			if _, err := c.decode(frame[:i], 7, tc.key); i < len(frame) && !errors.Is(err, errCorrupt) {
				t.Errorf("%s: cut after %d bytes: %v", tc.name, i, err)
			}
		}
	}
}

func TestFrameRefuses(t *testing.T) {
	c := testCodec(t)
	for name, value := range map[string][]byte{
		"does not compress": noise(maxFrame),
		"too large":         make([]byte, maxValue+1),
	} {
		if _, err := c.encode(1, "k", value); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}

	good := func(key string) []byte {
		frame, err := c.encode(1, key, []byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}
	set := func(frame []byte, at int, b byte) []byte { frame[at] = b; return sign(frame) }
	a, b := strings.Repeat("a", 300), strings.Repeat("b", 300)
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer packer.Close()
	bomb := good("k")[:frameHeader+1]
	bomb[1] = codecZstd
	bomb = sign(packer.EncodeAll(make([]byte, maxValue+1), bomb))

	for _, tc := range []struct {
		name  string
		frame []byte
		key   string
		want  error
	}{
		{"nothing", nil, "k", errCorrupt},
		{"version 2", set(good("k"), 0, 2), "k", errCorrupt},
		{"codec 2", set(good("k"), 1, 2), "k", errCorrupt},
		{"not zstd", set(good("k"), 1, codecZstd), "k", errCorrupt},
		{"key too long for the frame", set(good("k"), frameHeader, 100), "k", errCorrupt},
		{"bomb", bomb, "k", errCorrupt},
		{"other generation", set(good("k"), 9, 2), "k", errGeneration},
		{"other key, same name", good(a), b, errOtherKey},
		{"key inside a plain frame", good(a), "k", errCorrupt},
		{"no key inside a hashed one", good("k"), a, errCorrupt},
	} {
		if got, err := c.decode(tc.frame, 1, tc.key); !errors.Is(err, tc.want) || got != nil {
			t.Errorf("%s: %d bytes, %v, want %v", tc.name, len(got), err, tc.want)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	c := testCodec(f)
	long := strings.Repeat("k", 300)
	for _, key := range []string{"k", long} {
		for _, value := range []string{"", "value", strings.Repeat("text ", 1000)} {
			frame, err := c.encode(1, key, []byte(value))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(frame, key)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte, key string) {
		// With the right checksum and generation the rest is exercised.
		if len(frame) > frameHeader {
			binary.BigEndian.PutUint64(frame[2:], 1)
			sign(frame)
		}
		value, err := c.decode(frame, 1, key)
		if (value == nil) != (err != nil) || len(value) > maxValue {
			t.Errorf("%d bytes, nil: %v, %v", len(value), value == nil, err)
		}
	})
}

func TestNames(t *testing.T) {
	n := names{prefix: "p:", db: "3"}
	plain := n.value(strings.Repeat("x", maxPlainKey))
	long, other := n.value(strings.Repeat("x", maxPlainKey+1)), n.value(strings.Repeat("x", maxPlainKey+2))
	if want := "p:v:" + strings.Repeat("x", maxPlainKey); plain != want {
		t.Errorf("plain name %q", plain)
	}
	if !strings.HasPrefix(long, "p:h:") || len(long) > 20 || long == other {
		t.Errorf("hashed names %q and %q", long, other)
	}
	if n.generation() != "p:generation" || n.channel() != "p:invalidate:3" {
		t.Errorf("names %q and %q", n.generation(), n.channel())
	}
}
