package limit

import (
	"context"
	"iter"
	"testing"
	"time"

	"canopy/plugins"
)

// quick answers at once.
type quick struct{ slow }

func (*quick) Stat(context.Context, string) (plugins.Entry, error) { return plugins.Entry{}, nil }

func (*quick) List(context.Context, string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		for range 1000 {
			if !yield(plugins.Entry{}, nil) {
				return
			}
		}
	}
}

// BenchmarkStat is what the limits add to a question.
func BenchmarkStat(b *testing.B) {
	e := New(&quick{}, Config{Timeout: time.Minute})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Stat(b.Context(), "/f"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList is what they add to a listing of 1000 entries.
func BenchmarkList(b *testing.B) {
	list := New(&quick{}, Config{Timeout: time.Minute}).Abilities().Lister
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range list.List(b.Context(), "/") {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
