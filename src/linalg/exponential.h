// SPDX-License-Identifier: Apache-2.0
// The approximant of degree 13 to the matrix exponential: N. J. Higham, "The scaling and squaring method for the matrix
// exponential revisited", SIAM J. Matrix Anal. Appl. 26(4), 2005.
#pragma once

namespace tern::linalg {

// Exact to double precision for 1-norms up to kTheta13 (Table 2.3); its numerator is Σ b_i·xⁱ, its denominator
// Σ b_i·(-x)ⁱ.
inline constexpr double kB13[] = {64764752532480000,
                                  32382376266240000,
                                  7771770303897600,
                                  1187353796428800,
                                  129060195264000,
                                  10559470521600,
                                  670442572800,
                                  33522128640,
                                  1323241920,
                                  40840800,
                                  960960,
                                  16380,
                                  182,
                                  1};
inline constexpr double kTheta13 = 5.371920351148152e0;

}  // namespace tern::linalg
