// SPDX-License-Identifier: Apache-2.0
// Sorting rows by vectors (quick_sort.inl): values of 32 and 64 bits, and the places of those of 32.

template <class L, class Codec>
struct PlaceSource {
  const uint32_t* x;
  const Codec& codec;
  typename L::V load(int64_t i) const { return L::over_index(codec, x + i, i); }
  typename L::V load_some(int64_t i, int64_t n) const { return L::over_index_of_some(codec, x + i, i, n); }
};

template <class L>
struct PlaceSink {
  void store(uint64_t* to, typename L::V v) const { L::store(to, L::low_halves(v)); }
  void store_some(uint64_t* to, typename L::V v, int64_t n) const { L::store_some(to, L::low_halves(v), n); }
};

template <class L>
bool has_key(const typename L::Key* keys, int64_t n, typename L::Key key) {
  bool found = false;
  for (int64_t i = 0; i < n; i += L::kCount) found |= L::has(L::load_some(keys + i, smaller(L::kCount, n - i)), key);
  return found;
}

struct VectorSort {
  template <class K, bool kIndexed>
  static constexpr bool kSorts = sizeof(K) == 4 || (sizeof(K) == 8 && !kIndexed);

  template <class K, class Codec>
  struct Values {
    static constexpr int64_t kCost = 2;
    using L = KeyLanes<K>;
    const Exec& exec;
    const SortRowsArgs& args;
    const Codec& codec;

    void short_row(int64_t r, void* room) const {
      sort(r).sort(source(r), args.n, static_cast<K*>(room));
      // Looking for -0 is quicker than looking up both zeros where rows are short, and most have none.
      if (Codec::kIsFloat && (args.n > kMostInRegisters<L> || has_key<L>(x(r), args.n, Codec::kSign))) restore(r);
    }
    void long_row(int64_t r, void* room) const {
      if (exec.threads == 1) return short_row(r, room);
      sort(r).sort(exec, source(r), args.n, static_cast<K*>(room));
      restore(r);
    }

   private:
    const K* x(int64_t r) const { return static_cast<const K*>(args.x) + r * args.n; }
    K* y(int64_t r) const { return static_cast<K*>(args.y) + r * args.n; }
    NumberSource<L, Codec> source(int64_t r) const { return {x(r), codec}; }
    QuickSort<L, NumberSink<L, Codec>> sort(int64_t r) const {
      return {{codec}, y(r), {args.places, args.place_count}};
    }
    void restore(int64_t r) const {
      if constexpr (Codec::kIsFloat) {
        args.places ? restore_zeros_of_some(codec, x(r), y(r), args.n) : restore_zeros(codec, x(r), y(r), args.n);
      }
    }
  };

  template <class K, class Codec>
  struct Indices {
    static constexpr int64_t kCost = 4;
    using L = KeyLanes<uint64_t>;
    const Exec& exec;
    const SortRowsArgs& args;
    const Codec& codec;

    void short_row(int64_t r, void* room) const {
      if (args.n > L::kMostPlaces) return PlacesByDigits<K, Codec>{exec, args, codec}.short_row(r, room);
      sort(r).sort(source(r), args.n, static_cast<uint64_t*>(room));
    }
    void long_row(int64_t r, void* room) const {
      if (args.n > L::kMostPlaces) return PlacesByDigits<K, Codec>{exec, args, codec}.long_row(r, room);
      if (exec.threads == 1) return short_row(r, room);
      sort(r).sort(exec, source(r), args.n, static_cast<uint64_t*>(room));
    }

   private:
    PlaceSource<L, Codec> source(int64_t r) const { return {static_cast<const K*>(args.x) + r * args.n, codec}; }
    QuickSort<L, PlaceSink<L>> sort(int64_t r) const {
      return {{}, reinterpret_cast<uint64_t*>(args.index) + r * args.n, {}};
    }
  };
};
