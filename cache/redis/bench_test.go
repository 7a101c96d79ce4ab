package redis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
)

// BenchmarkGet asks a real server with the default budget, from as many
// goroutines per processor. After a miss it waits until the level is in use,
// because a suspect level would only look fast.
func BenchmarkGet(b *testing.B) {
	s := rig.Redis(b)
	l, _ := openAnyway(b, Options{URL: s.URL(), Budget: defaultBudget})
	value := strings.Repeat("x", 300)
	for i := range 100 {
		share(b, l, fmt.Sprint("/", i), value)
	}
	for _, parallel := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("parallel=", parallel), func(b *testing.B) {
			before := l.Stats()
			b.SetParallelism(parallel)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if l.Get(b.Context(), fmt.Sprint("/", rand.IntN(100)))[0] == nil {
						eventually(b, "in use", func() bool { return l.Stats().Serving })
					}
				}
			})
			after := l.Stats()
			hits, misses := after.Hits-before.Hits, after.Misses-before.Misses
			b.ReportMetric(float64(hits)/float64(hits+misses), "hits/op")
			b.ReportMetric(float64(after.Suspected-before.Suspected), "suspected")
		})
	}
}

// BenchmarkSuspect is what a request pays for a level that is out of use.
func BenchmarkSuspect(b *testing.B) {
	l, _ := openAnyway(b, Options{URL: "redis://127.0.0.1:1"})
	for b.Loop() {
		l.Get(b.Context(), "/k")
	}
}

func BenchmarkSet(b *testing.B) {
	s := rig.Redis(b)
	l, _ := openAnyway(b, Options{URL: s.URL()})
	value := []byte(strings.Repeat("x", 300))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Set(fmt.Sprint("/", i%1000), value, time.Hour)
	}
}

func BenchmarkFrame(b *testing.B) {
	c := testCodec(b)
	for _, size := range []int{300, 20_000} {
		value := []byte(strings.Repeat("/atlas/rucio/mc23/AOD.root 1234567\n", size/35+1)[:size])
		frame, err := c.encode(1, "k", value)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("encode/", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				_, _ = c.encode(1, "k", value)
			}
		})
		b.Run(fmt.Sprint("decode/", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				_, _ = c.decode(frame, 1, "k")
			}
		})
	}
}
